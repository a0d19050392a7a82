package main

import (
	"crypto/x509"
	"encoding/base64"
	"strings"
	"time"
)

func cases() []Case {
	var all []Case
	add := func(name string, change func(*Case)) {
		one := Case{Name: name, Host: "127.0.0.1", CA: authority.pem(), Server: serving.pair("PKCS8")}
		change(&one)
		all = append(all, one)
	}
	both := func(one *Case, kind, form string) {
		authority := issue("authority", kind, nil, asCA)
		one.CA, one.ClientCA = authority.pem(), authority.pem()
		one.Server = issue("server", kind, authority, forServer).pair(form)
		client := issue("client", kind, authority).pair(form)
		one.Client = &client
	}

	for _, form := range []string{"PKCS1", "PKCS8"} {
		add("RSA 2048 "+form, func(one *Case) { both(one, "RSA 2048", form) })
	}
	add("RSA 4096 PKCS8", func(one *Case) { both(one, "RSA 4096", "PKCS8") })
	add("RSA 1024 PKCS8", func(one *Case) { both(one, "RSA 1024", "PKCS8") })
	for _, kind := range []string{"P-256", "P-384", "P-521"} {
		for _, form := range []string{"SEC1", "PKCS8"} {
			add(kind+" "+form, func(one *Case) { both(one, kind, form) })
		}
	}
	add("Ed25519 PKCS8", func(one *Case) { both(one, "Ed25519", "PKCS8") })
	add("a P-521 authority", func(one *Case) {
		authority := issue("authority", "P-521", nil, asCA)
		one.CA, one.Server = authority.pem(), issue("server", "P-256", authority, forServer).pair("SEC1")
	})
	add("a P-521 client key", func(one *Case) {
		one.ClientCA = authority.pem()
		client := issue("client", "P-521", authority).pair("SEC1")
		one.Client = &client
	})
	add("P-256 signed by SHA-512", func(one *Case) {
		one.Server = issue("server", "P-256", authority, forServer, func(template *x509.Certificate) {
			template.SignatureAlgorithm = x509.ECDSAWithSHA512
		}).pair("SEC1")
	})

	key := func(name string, change func(key string) string) {
		add(name, func(one *Case) {
			both(one, "P-256", "SEC1")
			one.Client.Key = change(one.Client.Key)
		})
	}
	key("a key after EC PARAMETERS", func(key string) string {
		return block("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}) + key
	})
	key("a SEC1 key labelled PKCS8", func(key string) string {
		return strings.ReplaceAll(key, "EC PRIVATE", "PRIVATE")
	})
	add("a PKCS1 key labelled PKCS8", func(one *Case) {
		both(one, "RSA 2048", "PKCS1")
		one.Client.Key = strings.ReplaceAll(one.Client.Key, "RSA PRIVATE", "PRIVATE")
	})
	add("a PKCS8 key labelled PKCS1", func(one *Case) {
		both(one, "RSA 2048", "PKCS8")
		one.Client.Key = strings.ReplaceAll(one.Client.Key, "PRIVATE", "RSA PRIVATE")
	})
	add("certificate and key in one text", func(one *Case) {
		both(one, "P-256", "SEC1")
		text := one.Client.Key + one.Client.Certificate
		one.Client = &Pair{text, text}
	})
	add("the key of another certificate", func(one *Case) {
		both(one, "P-256", "SEC1")
		one.Client.Key = issue("other", "P-256 other", nil).pair("SEC1").Key
	})
	add("a client certificate with its intermediate", func(one *Case) {
		between := issue("between", "P-384", authority, asCA)
		one.ClientCA = authority.pem()
		client := issue("client", "P-256", between).pair("SEC1")
		client.Certificate += between.pem()
		one.Client = &client
	})
	add("a client certificate without its intermediate", func(one *Case) {
		between := issue("between", "P-384", authority, asCA)
		one.ClientCA = authority.pem()
		client := issue("client", "P-256", between).pair("SEC1")
		one.Client = &client
	})
	add("a client certificate of version 1", func(one *Case) {
		one.ClientCA = authority.pem()
		client := versionOne(authority)
		one.Client = &client
	})

	add("by name", func(one *Case) { one.Host = "localhost" })
	add("by IPv6 address", func(one *Case) { one.Host = "[::1]" })
	add("by an address that is not in it", func(one *Case) { one.Host = "127.0.0.2" })
	add("by another name", func(one *Case) { one.Host, one.ServerName = "127.0.0.2", "kubernetes.default.svc" })
	add("by another address", func(one *Case) { one.Host, one.ServerName = "127.0.0.2", "10.96.0.1" })
	add("by a name of another server", func(one *Case) { one.ServerName = "other.example" })

	other := issue("other", "P-384", nil, asCA)
	add("a bundle with comments and other blocks", func(one *Case) {
		one.CA = "# the old one\n" + other.pem() + "some words\n" + block("X509 CRL", []byte("x")) +
			block("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}) + "# the new one\n" + authority.pem() + "\n\n"
	})
	add("a bundle with Windows line ends", func(one *Case) {
		one.CA = strings.ReplaceAll(other.pem()+authority.pem(), "\n", "\r\n")
	})
	add("a bundle with a broken certificate", func(one *Case) {
		one.CA = block("CERTIFICATE", []byte("nonsense")) + authority.pem()
	})
	add("a bundle without line breaks in its base64", func(one *Case) {
		one.CA = "-----BEGIN CERTIFICATE-----\n" + base64.StdEncoding.EncodeToString(authority.der) +
			"\n-----END CERTIFICATE-----"
	})
	add("a bundle of broken certificates", func(one *Case) { one.CA = block("CERTIFICATE", []byte("nonsense")) })
	add("another authority", func(one *Case) { one.CA = other.pem() })
	add("the intermediate alone is trusted", func(one *Case) {
		between := issue("between", "P-384", authority, asCA)
		one.CA, one.Server = between.pem(), issue("server", "P-256", between, forServer).pair("SEC1")
	})
	add("a server certificate with its intermediate", func(one *Case) {
		between := issue("between", "P-384", authority, asCA)
		one.Server = issue("server", "P-256", between, forServer).pair("SEC1")
		one.Server.Certificate += between.pem()
	})

	own := func(name string, changes ...func(*x509.Certificate)) {
		add(name, func(one *Case) {
			certificate := issue("own", "P-256", nil, append(changes, forServer)...)
			one.CA, one.Server = certificate.pem(), certificate.pair("SEC1")
		})
	}
	own("a server that is its own authority", asCA)
	own("a self-signed server that says it is no authority", func(template *x509.Certificate) {
		template.BasicConstraintsValid = true
	})
	own("a self-signed server that says nothing of authority")
	own("an expired server that is its own authority", asCA, expired)
	own("a server that is its own authority, of another address", asCA, func(template *x509.Certificate) {
		template.DNSNames = []string{"other.example"}
	})
	own("a server that is its own authority, for clients only", asCA, func(template *x509.Certificate) {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	})
	add("the server's certificate itself is trusted", func(one *Case) { one.CA = serving.pem() })
	add("a server with an authority's certificate of an authority", func(one *Case) {
		one.Server = issue("server", "P-256", authority, asCA, forServer).pair("SEC1")
	})

	server := func(name string, changes ...func(*x509.Certificate)) {
		add(name, func(one *Case) {
			one.Server = issue("server", "P-256", authority, append(changes, forServer)...).pair("SEC1")
		})
	}
	server("an expired server", expired)
	server("a server of tomorrow", func(template *x509.Certificate) { template.NotBefore = end.Add(-time.Hour) })
	server("a server without names", func(template *x509.Certificate) { template.DNSNames = []string{} })
	server("a server for any use", func(template *x509.Certificate) {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
	})
	server("a server without uses", func(template *x509.Certificate) { template.ExtKeyUsage = []x509.ExtKeyUsage{} })
	server("a server for clients only", func(template *x509.Certificate) {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	})
	add("an authority that says nothing of authority", func(one *Case) {
		authority := issue("authority", "P-256", nil)
		one.CA, one.Server = authority.pem(), issue("server", "P-256", authority, forServer).pair("SEC1")
	})
	return all
}
