// Prints what client-go makes of every case in cases.json, one JSON object a line: the configuration, or that it
// fails. The tests of `src/config` compare our own reading with it.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

var certificate, key = pair()

// Case is a set of files, and what is asked for.
type Case struct {
	Name       string            `json:"name"`
	Files      map[string]string `json:"files"`
	Kubeconfig []string          `json:"kubeconfig"`
	Context    string            `json:"context"`
	Cluster    string            `json:"cluster"`
	User       string            `json:"user"`
}

// Result is a configuration in plain words; the folder of the case is called DIR in it.
type Result struct {
	Name        string              `json:"name"`
	Failed      bool                `json:"failed,omitempty"`
	Server      string              `json:"server,omitempty"`
	Namespace   string              `json:"namespace,omitempty"`
	CAFile      string              `json:"caFile,omitempty"`
	CAData      string              `json:"caData,omitempty"`
	CertFile    string              `json:"certFile,omitempty"`
	CertData    string              `json:"certData,omitempty"`
	KeyFile     string              `json:"keyFile,omitempty"`
	KeyData     string              `json:"keyData,omitempty"`
	Insecure    bool                `json:"insecure,omitempty"`
	ServerName  string              `json:"serverName,omitempty"`
	Token       string              `json:"token,omitempty"`
	TokenFile   string              `json:"tokenFile,omitempty"`
	Username    string              `json:"username,omitempty"`
	Password    string              `json:"password,omitempty"`
	Impersonate string              `json:"impersonate,omitempty"`
	UID         string              `json:"uid,omitempty"`
	Groups      []string            `json:"groups,omitempty"`
	Extra       map[string][]string `json:"extra,omitempty"`
	Exec        []string            `json:"exec,omitempty"`
	Proxy       string              `json:"proxy,omitempty"`
}

func main() {
	text, err := os.ReadFile("kubeconfig/cases.json")
	check(err)
	var cases []Case
	check(json.Unmarshal(text, &cases))
	for _, one := range cases {
		line, err := json.Marshal(run(one))
		check(err)
		fmt.Println(string(line))
	}
}

func run(one Case) Result {
	names := strings.NewReplacer(
		"@CERT@", certificate, "@KEY@", key,
		"@CERT64@", base64.StdEncoding.EncodeToString([]byte(certificate)),
		"@KEY64@", base64.StdEncoding.EncodeToString([]byte(key)))
	dir, err := os.MkdirTemp("", "kubeconfig")
	check(err)
	defer os.RemoveAll(dir)
	for name, content := range one.Files {
		path := filepath.Join(dir, name)
		check(os.MkdirAll(filepath.Dir(path), 0o755))
		check(os.WriteFile(path, []byte(names.Replace(content)), 0o600))
	}
	var paths []string
	for _, name := range one.Kubeconfig {
		paths = append(paths, filepath.Join(dir, name))
	}
	check(os.Setenv("KUBECONFIG", strings.Join(paths, ":")))
	overrides := &clientcmd.ConfigOverrides{CurrentContext: one.Context}
	overrides.Context.Cluster, overrides.Context.AuthInfo = one.Cluster, one.User
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), overrides)
	config, err := loader.ClientConfig()
	if err == nil {
		_, err = rest.TransportFor(config) // some mistakes show only here
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, one.Name+":", err)
		return Result{Name: one.Name, Failed: true}
	}
	namespace, _, err := loader.Namespace()
	check(err)
	result := result(config)
	result.Name, result.Namespace = one.Name, namespace
	line, err := json.Marshal(result)
	check(err)
	check(json.Unmarshal([]byte(strings.ReplaceAll(string(line), dir, "DIR")), &result))
	return result
}

func result(config *rest.Config) Result {
	tls := config.TLSClientConfig
	text := func(data []byte) string {
		return strings.NewReplacer(certificate, "@CERT@", key, "@KEY@").Replace(string(data))
	}
	result := Result{
		Server: config.Host,
		CAFile: tls.CAFile, CAData: text(tls.CAData),
		CertFile: tls.CertFile, CertData: text(tls.CertData),
		KeyFile: tls.KeyFile, KeyData: text(tls.KeyData),
		Insecure: tls.Insecure, ServerName: tls.ServerName,
		Token: config.BearerToken, TokenFile: config.BearerTokenFile,
		Username: config.Username, Password: config.Password,
		Impersonate: config.Impersonate.UserName, UID: config.Impersonate.UID,
		Groups: config.Impersonate.Groups, Extra: config.Impersonate.Extra,
	}
	if exec := config.ExecProvider; exec != nil {
		result.Exec = append([]string{exec.APIVersion, string(exec.InteractiveMode), exec.Command}, exec.Args...)
		for _, variable := range exec.Env {
			result.Exec = append(result.Exec, variable.Name+"="+variable.Value)
		}
	}
	if config.Proxy != nil {
		if proxy, err := config.Proxy(nil); err == nil && proxy != nil {
			result.Proxy = proxy.String()
		}
	}
	return result
}

// pair makes a certificate and its key, which stand for @CERT@ and @KEY@ in the cases.
func pair() (string, string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	template := x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, private.Public(), private)
	check(err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	check(err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
