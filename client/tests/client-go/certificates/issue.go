package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"time"
)

var (
	start     = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	end       = time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC)
	keys      = map[string]crypto.Signer{}
	serial    int64
	authority = issue("authority", "P-256", nil, asCA)
	serving   = issue("server", "P-256", authority, forServer)
)

// Issued is a certificate and its key.
type Issued struct {
	template *x509.Certificate
	der      []byte
	key      crypto.Signer
}

// issue signs a certificate by an issuer, or by itself where there is none.
func issue(name, kind string, issuer *Issued, changes ...func(*x509.Certificate)) *Issued {
	serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    start,
		NotAfter:     end,
	}
	for _, change := range changes {
		change(template)
	}
	issued := &Issued{template: template, key: keyOf(kind)}
	if issuer == nil {
		issuer = issued
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.template, issued.key.Public(), issuer.key)
	check(err)
	issued.der = der
	return issued
}

func asCA(template *x509.Certificate) {
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
}

// forServer fills in what a server needs and the other changes have left open.
func forServer(template *x509.Certificate) {
	if template.DNSNames == nil {
		template.DNSNames = []string{"localhost", "kubernetes.default.svc"}
		template.IPAddresses = []net.IP{net.ParseIP("127.0.0.1"), net.ParseIP("::1"), net.ParseIP("10.96.0.1")}
	}
	if template.ExtKeyUsage == nil {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
}

func expired(template *x509.Certificate) { template.NotAfter = start.Add(time.Hour) }

func (issued *Issued) pem() string { return block("CERTIFICATE", issued.der) }

func (issued *Issued) pair(form string) Pair {
	var der []byte
	var err error
	label := "PRIVATE KEY"
	switch key := issued.key.(type) {
	case *rsa.PrivateKey:
		if form == "PKCS1" {
			label, der = "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)
		}
	case *ecdsa.PrivateKey:
		if form == "SEC1" {
			label = "EC PRIVATE KEY"
			der, err = x509.MarshalECPrivateKey(key)
		}
	}
	if der == nil {
		der, err = x509.MarshalPKCS8PrivateKey(issued.key)
	}
	check(err)
	return Pair{issued.pem(), block(label, der)}
}

// keyOf makes one key of each kind.
func keyOf(kind string) crypto.Signer {
	if key := keys[kind]; key != nil {
		return key
	}
	var key crypto.Signer
	var err error
	switch kind {
	case "RSA 1024":
		key, err = rsa.GenerateKey(rand.Reader, 1024)
	case "RSA 2048":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "RSA 4096":
		key, err = rsa.GenerateKey(rand.Reader, 4096)
	case "P-384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "P-521":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "Ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	check(err)
	keys[kind] = key
	return key
}

// versionOne makes a client certificate without extensions, as openssl does where it is not told of any.
func versionOne(issuer *Issued) Pair {
	type validity struct{ NotBefore, NotAfter time.Time }
	type body struct {
		Serial    *big.Int
		Algorithm pkix.AlgorithmIdentifier
		Issuer    pkix.RDNSequence
		Validity  validity
		Subject   pkix.RDNSequence
		Key       asn1.RawValue
	}
	key := keyOf("P-256")
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	check(err)
	algorithm := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}}
	signed, err := asn1.Marshal(body{
		big.NewInt(1), algorithm, issuer.template.Subject.ToRDNSequence(), validity{start, start.AddDate(29, 0, 0)},
		pkix.Name{CommonName: "client"}.ToRDNSequence(), asn1.RawValue{FullBytes: public},
	})
	check(err)
	digest := sha256.Sum256(signed)
	signature, err := issuer.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	check(err)
	der, err := asn1.Marshal(struct {
		Body      asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: signed}, algorithm, asn1.BitString{Bytes: signature, BitLength: len(signature) * 8}})
	check(err)
	issued := &Issued{der: der, key: key}
	return issued.pair("SEC1")
}
