package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bordergate/sync/wire"
)

// clientName is headquarters' name at a broker, in its certificate and as its
// client id. No gate's id has capitals.
const clientName = "HQ"

// openBroker opens our own broker's door, behind which nobody is yet. Where
// another broker serves, only the store is opened.
func (a *App) openBroker(ctx context.Context) error {
	var err error
	if a.fleet, err = openFleet(a.opts.Identity); err != nil {
		return err
	}
	if a.door, err = newDoor(a.fleet); err != nil {
		return err
	}
	dir := filepath.Join(a.opts.Store, "nats")
	if a.opts.Broker != "" {
		a.engine, err = startEngine(ctx, dir, "", nil, a.door, a.opts.Logger)
		return err
	}
	address, secure, err := listenAddress(a.opts.Listen)
	if err != nil {
		return err
	}
	var conf *tls.Config
	if a.secure = secure; secure {
		if conf, err = a.id.authority.serverTLS(hostOf(address), a.opts.Names); err != nil {
			return err
		}
	}
	a.engine, err = startEngine(ctx, dir, address, conf, a.door, a.opts.Logger)
	return err
}

// way is how headquarters itself comes to the broker, its own or another.
func (a *App) way() (broker string, secure *tls.Config, err error) {
	broker = a.opts.Broker
	switch {
	case broker == "" && a.secure:
		broker = "ssl://" + a.localAddress()
	case broker == "":
		broker = "tcp://" + a.localAddress()
	}
	if !strings.HasPrefix(broker, "ssl://") {
		return broker, nil, nil
	}
	if a.id.authority == nil {
		return "", nil, ErrAuthority
	}
	return broker, a.door.clientTLS(a.id.authority), nil
}

// Address is where gates come to: host:port of the broker.
func (a *App) Address() string {
	if a.opts.Broker == "" {
		return a.engine.address()
	}
	u, err := url.Parse(a.opts.Broker)
	if err != nil {
		return a.opts.Broker
	}
	return u.Host
}

// localAddress is how HQ reaches its own listener.
func (a *App) localAddress() string {
	host, port, err := net.SplitHostPort(a.Address())
	if ip := net.ParseIP(host); err == nil && (ip == nil && host != "localhost" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return a.Address()
}

// BrokerFiles is what a broker that is not ours needs to serve gates.
type BrokerFiles struct {
	Dir   string    `json:"dir"` // ca.crt, broker.crt, broker.key, acl
	Names []string  `json:"names"`
	Until time.Time `json:"certificate_until"`
}

// CertifyBroker makes a key for a broker that is not ours and certifies it for
// names, and writes it to out with the authority's certificate and with
// mosquitto's form of who may read and write what. The key replaces one that
// is there.
func CertifyBroker(dir string, names []string, out string) (BrokerFiles, error) {
	f, err := certifyBroker(dir, names, out)
	if err != nil {
		return f, fmt.Errorf("certify broker: %w", err)
	}
	return f, nil
}

func certifyBroker(dir string, names []string, out string) (BrokerFiles, error) {
	f := BrokerFiles{Dir: out, Names: names}
	id, err := LoadIdentity(dir)
	if err != nil {
		return f, err
	}
	if id.authority == nil {
		return f, ErrAuthority
	}
	c, err := id.authority.forBroker(names, time.Now().Add(gateLife))
	if err != nil {
		return f, err
	}
	f.Until = c.Leaf.NotAfter
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return f, err
	}
	if err := os.MkdirAll(out, 0o700); err != nil {
		return f, err
	}
	for _, file := range []struct {
		name string
		text []byte
		mode os.FileMode
	}{
		{"ca.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: id.authority.cert.Raw}), 0o644},
		{"broker.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), 0o644},
		{"broker.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600},
		{"acl", []byte(accessList()), 0o644},
	} {
		if err := writeFile(filepath.Join(out, file.name), file.text, file.mode); err != nil {
			return f, err
		}
	}
	return f, nil
}

// accessList says in mosquitto's words what the door says in the server's own:
// a gate, named by its certificate, speaks on its own topics and hears what is
// for it or for all.
func accessList() string {
	var b strings.Builder
	fmt.Fprintf(&b, "user %s\ntopic readwrite %s#\n\n", clientName, wire.Prefix)
	fmt.Fprintf(&b, "pattern write %s\n", wire.Up("%u", "#"))
	for _, filter := range wire.GateFilters("%u") {
		fmt.Fprintf(&b, "pattern read %s\n", filter)
	}
	return b.String()
}
