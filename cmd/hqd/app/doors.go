package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"bordergate/sync/wire"
)

// listenAddress takes host:port or an address with tcp:// or ssl:// apart.
func listenAddress(listen string) (address string, secure bool, err error) {
	if !strings.Contains(listen, "://") {
		return listen, false, nil
	}
	u, err := url.Parse(listen)
	if err != nil || u.Host == "" || u.Scheme != "tcp" && u.Scheme != "ssl" {
		return "", false, fmt.Errorf("listen on %.80q: want ssl://host:port or tcp://host:port", listen)
	}
	return u.Host, u.Scheme == "ssl", nil
}

// door is who may come in at the broker and what he may do there. A gate is
// who its certificate says, if headquarters has it registered with that key
// and not retired; it hears what is addressed to it or to all and speaks on its
// own topics only.
type door struct {
	fleet *fleet
	token string            // of headquarters itself inside this process
	key   *ecdsa.PrivateKey // of headquarters itself as a client
	srv   *server.Server

	mu      sync.Mutex
	clients map[string]uint64 // the newest connection of each gate
}

func newDoor(f *fleet) (*door, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return &door{fleet: f, token: rand.Text(), key: key, clients: make(map[string]uint64)}, err
}

// clientTLS is how headquarters itself comes to a broker. It certifies itself
// for every connection, so that nothing runs out.
func (d *door) clientTLS(a *authority) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: a.pool,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return a.present(d.key, clientName, time.Now().Add(brokerLife), x509.ExtKeyUsageClientAuth, nil)
		},
	}
}

// Check implements server.Authentication.
func (d *door) Check(c server.ClientAuthentication) bool {
	state := c.GetTLSConnectionState()
	if state == nil && c.GetOpts().Token == d.token {
		return true
	}
	if state == nil || len(state.VerifiedChains) == 0 {
		return false
	}
	leaf := state.PeerCertificates[0]
	if d.key.PublicKey.Equal(leaf.PublicKey) {
		return true
	}
	gate := leaf.Subject.CommonName
	e, _, err := d.fleet.gate(gate)
	if err != nil || !e.holds(leaf) || d.clientID(c.GetID()) != wire.ClientID(gate) {
		d.fleet.count(gate, "certificate")
		return false
	}
	c.RegisterUser(&server.User{Username: gate, Permissions: permissions(gate)})
	d.mu.Lock()
	d.clients[gate] = c.GetID()
	d.mu.Unlock()
	return true
}

// clientID is the MQTT client's name for itself. One gate must not take
// another's, since the broker would throw the other out.
func (d *door) clientID(id uint64) string {
	z, err := d.srv.Connz(&server.ConnzOptions{CID: id})
	if err != nil || len(z.Conns) != 1 {
		return ""
	}
	return z.Conns[0].MQTTClient
}

// shut throws a gate out that was retired.
func (d *door) shut(gate string) {
	d.mu.Lock()
	id, ok := d.clients[gate]
	delete(d.clients, gate)
	d.mu.Unlock()
	if ok {
		_ = d.srv.DisconnectClientByID(id) // gone already is as good
	}
}

func permissions(gate string) *server.Permissions {
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: subjects(wire.Up(gate, "#"))},
		Subscribe: &server.SubjectPermission{Allow: subjects(wire.GateFilters(gate)...)},
	}
}

// subjects are MQTT filters in the server's own terms; a filter with # also
// means the level above it.
func subjects(filters ...string) []string {
	var out []string
	for _, f := range filters {
		s := strings.ReplaceAll(f, "/", ".")
		if above, ok := strings.CutSuffix(s, ".#"); ok {
			out = append(out, above)
			s = above + ".>"
		}
		out = append(out, s)
	}
	return out
}

// hostOf is the host of host:port.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return host
}
