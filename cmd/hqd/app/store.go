package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// clusterReplicas is how many nodes of a cluster keep each stream.
const clusterReplicas = 3

// Times of the store. A leader that died without a word is replaced after 4 to
// 9 s, the time that nodes wait for one.
const (
	tryTimeout     = 2 * time.Second        // one write or question
	tryPause       = 100 * time.Millisecond // between two
	clusterTimeout = 30 * time.Second       // until a cluster that was just started answers
)

// ErrStore means that a cluster cannot be headquarters' store as it is.
var ErrStore = errors.New("cluster cannot be the store")

// store keeps records, accounts and events in JetStream: in the broker of this
// process, or in a cluster that other processes of headquarters share. It is
// all they have in common, so nothing is told to a gate that is not in it.
type store struct {
	nc     *nats.Conn // to be closed by whoever opened it
	js     jetstream.JetStream
	shared bool // other hqd may write too
	log    *slog.Logger
}

// store is the one in the broker itself.
func (e *engine) store() *store { return &store{nc: e.nc, js: e.js, log: e.log.logger} }

// Cluster is a NATS cluster of three nodes or more that is the store.
type Cluster struct {
	URL    string      // nats://a,b,c; empty: the broker of this process keeps the store
	Secure *tls.Config // nil only on this machine
}

// openStore takes the broker's own JetStream, or the cluster's.
func (a *App) openStore(ctx context.Context) error {
	if a.opts.Cluster.URL == "" {
		a.store = a.engine.store()
		return nil
	}
	var err error
	if a.store, err = openCluster(ctx, a.opts.Cluster, a.opts.Logger); err != nil {
		return err
	}
	a.defers(func() error { a.store.nc.Close(); return nil })
	ctx, cancel := context.WithTimeout(ctx, clusterTimeout)
	defer cancel()
	return a.store.await(ctx)
}

// ClusterTLS reads the PEM files with which this process and the nodes know one
// another.
func ClusterTLS(authority, certificate, key string) (*tls.Config, error) {
	pem, err := os.ReadFile(authority)
	if err != nil {
		return nil, fmt.Errorf("read store_tls.authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read store_tls.authority: %w: %s holds no certificate in PEM", ErrStore, authority)
	}
	own, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("read store_tls.certificate: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, Certificates: []tls.Certificate{own}}, nil
}

// openCluster connects to the first node that answers, and later to any other
// when that one is gone. Nothing is kept back while there is none: whoever
// writes hears at once that it was not written.
func openCluster(ctx context.Context, c Cluster, logger *slog.Logger) (*store, error) {
	list, err := clusterNodes(c.URL, c.Secure != nil)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	opts := []nats.Option{
		nats.Name("hqd"), nats.Timeout(2 * time.Second), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1),
		nats.ReconnectWait(100 * time.Millisecond), nats.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond),
		// A node that is cut off, not closed, is given up after six seconds.
		nats.PingInterval(2 * time.Second), nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { logger.Warn("Store connection lost", "error", err) }),
		nats.ReconnectHandler(func(c *nats.Conn) { logger.Info("Store connection is back", "node", c.ConnectedServerName()) }),
	}
	if c.Secure != nil {
		opts = append(opts, nats.Secure(c.Secure))
	}
	nc, err := nats.Connect(strings.Join(list, ","), opts...)
	if err != nil {
		return nil, fmt.Errorf("open store: %w: check that a node of %s answers", err, strings.Join(list, ","))
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("open store: %w", err)
	}
	return &store{nc: nc, js: js, shared: true, log: logger}, ctx.Err()
}

// clusterNodes reads nats://a,b,c: each node is host or host:port, and only
// the first needs the scheme.
func clusterNodes(urls string, secure bool) ([]string, error) {
	var out []string
	for i, text := range strings.Split(urls, ",") {
		u, err := url.Parse("nats://" + strings.TrimPrefix(text, "nats://"))
		if err != nil || u.Hostname() == "" || u.User != nil || u.Path != "" {
			return nil, fmt.Errorf("%w: node %d: want nats://host:port,host:port,host:port without names or passwords", ErrStore, i+1)
		}
		ip := net.ParseIP(u.Hostname())
		if local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback(); !local && !secure {
			return nil, fmt.Errorf("%w: node %s is another machine and there is no store_tls", ErrStore, u.Host)
		}
		out = append(out, u.String())
	}
	return out, nil
}

// stream opens a stream, or makes it with the metadata as given.
func (s *store) stream(ctx context.Context, name, subjects string, meta map[string]string) (jetstream.Stream, error) {
	conf := jetstream.StreamConfig{
		Name: name, Subjects: []string{subjects}, Storage: jetstream.FileStorage,
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
		DenyDelete: true, DenyPurge: true, Metadata: meta,
		// A copy that answers by itself may be behind: in a cluster only the
		// stream's leader is asked.
		AllowDirect: !s.shared,
	}
	if s.shared {
		conf.Replicas = clusterReplicas
	}
	st, err := s.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		st, err = s.js.CreateStream(ctx, conf)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another hqd was quicker
			st, err = s.js.Stream(ctx, name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open stream %s: %w", name, err)
	}
	if c := st.CachedInfo().Config; s.shared && (c.Replicas < clusterReplicas || c.AllowDirect || !c.DenyDelete) {
		return nil, fmt.Errorf("open stream %s: %w: it has %d replicas, direct reads %v; make it with hqd, or edit it to %d replicas without direct reads",
			name, ErrStore, c.Replicas, c.AllowDirect, clusterReplicas)
	}
	return st, nil
}

// soon bounds one write or question: short where another node may answer
// instead, and as long as the disk needs where there is none.
func soon(ctx context.Context, shared bool) (context.Context, context.CancelFunc) {
	if shared {
		return context.WithTimeout(ctx, tryTimeout)
	}
	return context.WithTimeout(ctx, storeTimeout)
}

// pause waits before something is tried again; false when ctx is over.
func pause(ctx context.Context) bool {
	t := time.NewTimer(tryPause)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// wrongPlace reports whether the store refused a write since something else is
// in its place.
func wrongPlace(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}

// await waits until the cluster answers for streams; a cluster that has just
// been started first elects a leader.
func (s *store) await(ctx context.Context) error {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		one, cancel := context.WithTimeout(ctx, tryTimeout)
		_, err := s.js.AccountInfo(one)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("open store: cluster does not answer for streams: %w; is JetStream on, on three nodes?", err)
		case <-t.C:
		}
	}
}

// follow calls news soon after the stream grew, whoever wrote to it, and every
// second besides, until ctx ends. Only what is in the stream by then counts:
// a missed call is made good by the next.
func (s *store) follow(ctx context.Context, st jetstream.Stream, news func(context.Context) error) {
	wake := make(chan struct{}, 1)
	t := time.NewTicker(time.Second)
	defer t.Stop()
	var told jetstream.ConsumeContext
	defer func() {
		if told != nil {
			told.Stop()
		}
	}()
	for ctx.Err() == nil {
		if told == nil {
			told = s.subscribe(ctx, st, wake)
		}
		one, cancel := context.WithTimeout(ctx, tryTimeout)
		if err := news(one); err != nil && ctx.Err() == nil {
			s.log.Warn("Store not followed", "error", err)
		}
		cancel()
		select {
		case <-ctx.Done():
		case <-wake:
		case <-t.C:
		}
	}
}

// subscribe has wake filled at every new message; nil when the cluster does
// not answer now.
func (s *store) subscribe(ctx context.Context, st jetstream.Stream, wake chan<- struct{}) jetstream.ConsumeContext {
	one, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	c, err := st.OrderedConsumer(one, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverNewPolicy, HeadersOnly: true})
	if err != nil {
		return nil
	}
	told, err := c.Consume(func(jetstream.Msg) {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return nil
	}
	return told
}
