package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// maxPayload is what the broker takes in one message; ours have 256 KiB at
// most.
const maxPayload = 512 << 10

// engine is the embedded NATS server: MQTT towards the gates, and JetStream on
// disk, which is the store too unless a cluster is. Every write is synced
// before it is acknowledged.
type engine struct {
	srv  *server.Server
	opts *server.Options
	nc   *nats.Conn
	js   jetstream.JetStream
	log  *engineLog
}

// startEngine opens the store in dir and listens for MQTT on listen, whose
// port may be 0; with no address another broker serves. Secure is nil where it
// is to be listened without TLS, and then everybody who reaches the port may
// come in.
func startEngine(ctx context.Context, dir, listen string, secure *tls.Config, d *door, logger *slog.Logger) (*engine, error) {
	host, port, err := mqttPort(listen)
	if err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	e := &engine{log: &engineLog{logger: logger}}
	e.opts = &server.Options{
		ServerName: "hqd", DontListen: true, NoSigs: true, MaxPayload: maxPayload, MaxPending: 64 << 20,
		JetStream: true, StoreDir: dir, SyncAlways: true,
		MQTT: server.MQTTOpts{Host: host, Port: port, TLSConfig: secure, TLSTimeout: 10},
	}
	if secure != nil {
		e.opts.CustomClientAuthentication = d
	}
	if e.srv, err = server.NewServer(e.opts); err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	d.srv = e.srv
	e.srv.SetLoggerV2(e.log, false, false, false)
	e.srv.Start()
	if !e.srv.ReadyForConnections(10 * time.Second) {
		e.stop()
		return nil, fmt.Errorf("start broker on %s: %w", listen, e.log.fault())
	}
	if e.nc, err = nats.Connect("", nats.InProcessServer(e.srv), nats.MaxReconnects(-1), nats.Token(d.token)); err == nil {
		e.js, err = jetstream.New(e.nc)
	}
	if err != nil {
		e.stop()
		return nil, fmt.Errorf("start broker: %w", err)
	}
	return e, ctx.Err()
}

// mqttPort takes an address as the server wants it, of which port 0 is none.
func mqttPort(listen string) (host string, port int, err error) {
	if listen == "" {
		return "", 0, nil
	}
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf("address %q: %w", listen, err)
	}
	if port, err = strconv.Atoi(text); err != nil {
		return "", 0, fmt.Errorf("port %q: %w", text, err)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}

// address is where MQTT is listened for, with the port that was chosen.
func (e *engine) address() string {
	return net.JoinHostPort(e.opts.MQTT.Host, strconv.Itoa(e.opts.MQTT.Port))
}

func (e *engine) stop() {
	if e.nc != nil {
		e.nc.Close()
	}
	e.srv.Shutdown()
	e.srv.WaitForShutdown()
}

// engineLog takes the server's own words: errors and warnings into ours, the
// rest nowhere. It remembers the last fatal one, which the server reports no
// other way.
type engineLog struct {
	logger *slog.Logger
	mu     sync.Mutex
	last   error
}

func (l *engineLog) keep(format string, v []any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = fmt.Errorf(format, v...)
}

func (l *engineLog) fault() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		return errors.New("broker did not become ready in time")
	}
	return l.last
}

// Fatalf implements server.Logger. It does not end the process.
func (l *engineLog) Fatalf(format string, v ...any) {
	l.keep(format, v)
	l.logger.Error("Broker stopped", "error", fmt.Sprintf(format, v...))
}

// Errorf implements server.Logger.
func (l *engineLog) Errorf(format string, v ...any) {
	l.logger.Warn("Broker error", "error", fmt.Sprintf(format, v...))
}

// Warnf implements server.Logger.
func (l *engineLog) Warnf(format string, v ...any) {
	l.logger.Debug("Broker warning", "warning", fmt.Sprintf(format, v...))
}

// Noticef implements server.Logger.
func (l *engineLog) Noticef(string, ...any) {}

// Debugf implements server.Logger.
func (l *engineLog) Debugf(string, ...any) {}

// Tracef implements server.Logger.
func (l *engineLog) Tracef(string, ...any) {}

// lockStore keeps two processes out of one store.
func lockStore(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock store: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock store: %w", err)
	}
	if err := flock(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock store: another hqd uses %s: %w", dir, err)
	}
	return f, nil
}
