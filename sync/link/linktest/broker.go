// Package linktest gives tests a real MQTT broker on a free port of this
// machine: an embedded NATS server, which can be stopped and started again on
// the same address and store. Every method fails the test instead of returning
// an error.
package linktest

import (
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Broker is a broker for one test, stopped at its end.
type Broker struct {
	t    testing.TB
	dir  string
	port int
	srv  *server.Server
}

// NewBroker starts a broker on a port that the system chooses.
func NewBroker(t testing.TB) *Broker {
	t.Helper()
	b := &Broker{t: t, dir: t.TempDir(), port: server.RANDOM_PORT}
	b.Start()
	t.Cleanup(b.Stop)
	return b
}

// URL is the broker's address as a session takes it.
func (b *Broker) URL() string {
	u := net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: b.port}
	return "tcp://" + u.String()
}

// Start starts the broker where it was before.
func (b *Broker) Start() {
	b.t.Helper()
	opts := &server.Options{
		ServerName: "linktest", DontListen: true, NoLog: true, NoSigs: true, JetStream: true, StoreDir: b.dir,
		MQTT: server.MQTTOpts{Host: "127.0.0.1", Port: b.port},
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		b.t.Fatalf("start broker: %v", err)
	}
	srv.Start()
	if !srv.ReadyForConnections(20 * time.Second) {
		b.t.Fatal("start broker: not ready")
	}
	b.srv, b.port = srv, opts.MQTT.Port
}

// Stop stops the broker; a second call does nothing.
func (b *Broker) Stop() {
	if b.srv == nil {
		return
	}
	b.srv.Shutdown()
	b.srv.WaitForShutdown()
	b.srv = nil
}
