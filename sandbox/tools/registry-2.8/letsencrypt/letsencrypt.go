// Package letsencrypt stands in for rsc.io/letsencrypt, which no proxy of Go
// modules has. The registry's start refers to it, for http.tls.letsencrypt.
package letsencrypt

import (
	"crypto/tls"
	"errors"
)

// Manager refuses to get certificates.
type Manager struct{}

var errNotHere = errors.New("http.tls.letsencrypt is not in this build")

// CacheFile is what the registry calls first; its error ends the start.
func (*Manager) CacheFile(string) error { return errNotHere }

// Registered says that there is no account.
func (*Manager) Registered() bool { return false }

// Register refuses to make one.
func (*Manager) Register(string, func(string) bool) error { return errNotHere }

// SetHosts does nothing.
func (*Manager) SetHosts([]string) {}

// GetCertificate has none.
func (*Manager) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return nil, errNotHere
}
