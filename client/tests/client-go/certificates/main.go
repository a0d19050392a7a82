// Prints keys, certificates and bundles of every form that is in use, one case a line, each with whether client-go
// comes to an understanding with a Go server by them. The client's tests make the same handshakes.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"k8s.io/client-go/rest"
)

// Case is what server and client are given, and what becomes of it.
type Case struct {
	Name string `json:"name"`
	// Host in the URL.
	Host       string `json:"host"`
	ServerName string `json:"serverName,omitempty"`
	CA         string `json:"ca"`
	Server     Pair   `json:"server"`
	// What the server trusts; empty where it asks for no certificate.
	ClientCA string `json:"clientCA,omitempty"`
	Client   *Pair  `json:"client,omitempty"`
	Accepted bool   `json:"accepted"`
}

// Pair is a certificate, perhaps with intermediates, and its key.
type Pair struct {
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
}

func main() {
	for _, one := range cases() {
		err := try(one)
		one.Accepted = err == nil
		if err != nil {
			fmt.Fprintln(os.Stderr, one.Name+":", err)
		}
		line, err := json.Marshal(one)
		check(err)
		fmt.Println(string(line))
	}
}

func try(one Case) error {
	serving, err := tls.X509KeyPair([]byte(one.Server.Certificate), []byte(one.Server.Key))
	if err != nil {
		return err
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{serving}}
	if one.ClientCA != "" {
		server.TLS.ClientAuth, server.TLS.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		server.TLS.ClientCAs.AppendCertsFromPEM([]byte(one.ClientCA))
	}
	host := strings.Trim(one.Host, "[]")
	server.Listener.Close()
	server.Listener, err = net.Listen("tcp", net.JoinHostPort(host, "0"))
	check(err)
	server.StartTLS()
	defer server.Close()

	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	check(err)
	config := &rest.Config{Host: "https://" + net.JoinHostPort(host, port)}
	config.TLSClientConfig = rest.TLSClientConfig{CAData: []byte(one.CA), ServerName: one.ServerName}
	if one.Client != nil {
		config.CertData, config.KeyData = []byte(one.Client.Certificate), []byte(one.Client.Key)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	answer, err := client.Get(config.Host)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

func block(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
