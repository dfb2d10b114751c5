package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Errors of a session.
var (
	ErrOffline  = errors.New("no connection to the broker")
	ErrLost     = errors.New("connection to the broker was lost")
	ErrPlain    = errors.New("broker outside this machine without TLS")
	ErrTooLarge = errors.New("broker sent a larger packet than allowed")
)

// Kind tells what a Message is.
type Kind uint8

// What comes out of Messages, for each connection in this order: Up once,
// Received and Ready in between, Down once.
const (
	Up       Kind = iota + 1 // connected; nothing subscribed yet
	Ready                    // every subscription holds
	Received                 // a message
	Down                     // the connection is gone; what was under way was not delivered
)

// Message is what a session received or became.
type Message struct {
	Kind     Kind
	Conn     uint64 // number of the connection, from 1
	Topic    string
	Payload  []byte
	Retained bool
	// Ack tells the broker that the message was dealt with. It does nothing
	// once the connection is gone. Nil unless Kind is Received.
	Ack func()
}

// Options of a session.
type Options struct {
	Broker   string // ssl://host:port, or tcp://host:port on this machine
	ClientID string // unique at the broker: two of one id evict each other for ever
	TLS      *tls.Config
	// AllowPlain permits tcp:// to another machine. For trials only.
	AllowPlain bool
	Filters    []string // subscribed on every connection at QoS 1
	// Will makes the last will of a connection: topic, payload, retained. It
	// is also published when the session ends in order. Nil: none.
	Will func(conn uint64) (topic string, payload []byte, retained bool)

	Backoff    time.Duration // first pause between connections, 1 s; full jitter
	MaxBackoff time.Duration // longest pause, 60 s
	KeepAlive  time.Duration // 10 s; a dead link is found in twice that
	PushWait   time.Duration // how long a full channel may block before the connection goes, 5 s
	Queue      int           // messages in the channel, 256
	MaxPacket  int           // bytes of a received packet, 512 KiB
	Logger     *slog.Logger
	// Dial replaces the network, for tests.
	Dial func(ctx context.Context) (net.Conn, error)
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.Backoff, time.Second)
	def(&o.MaxBackoff, time.Minute)
	def(&o.KeepAlive, 10*time.Second)
	def(&o.PushWait, 5*time.Second)
	if o.Queue <= 0 {
		o.Queue = 256
	}
	if o.MaxPacket <= 0 {
		o.MaxPacket = 512 << 10
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

const (
	connectTimeout = 10 * time.Second
	writeTimeout   = 5 * time.Second // also frees a pinger that hangs in a full socket
	qos            = 1
)

// Session is one MQTT client's life over many connections. Publish may be
// called from any goroutine but the one that reads Messages, which it would
// hold up.
type Session struct {
	lost   atomic.Pointer[error]
	opts   Options
	broker *url.URL
	out    chan Message
	conns  atomic.Uint64

	mu  sync.Mutex
	cur *connection
}

type connection struct {
	id     uint64
	client mqtt.Client
	net    atomic.Pointer[guard]

	mu   sync.Mutex // held while a message is delivered
	over bool       // Down has been, or is being, said
}

func (c *connection) close() {
	if g := c.net.Load(); g != nil {
		_ = g.Close()
	}
}

// New checks the options; nothing is opened before Serve.
func New(o Options) (*Session, error) {
	o = o.withDefaults()
	u, err := url.Parse(o.Broker)
	if err != nil || u.Host == "" || o.ClientID == "" {
		return nil, fmt.Errorf("open session: broker %q, client id %q: want ssl://host:port and an id", o.Broker, o.ClientID)
	}
	switch {
	case u.Scheme == "ssl":
	case u.Scheme != "tcp":
		return nil, fmt.Errorf("open session: broker scheme %q: want ssl or tcp", u.Scheme)
	case !o.AllowPlain && !loopback(u.Hostname()):
		return nil, fmt.Errorf("open session: %w: use ssl://", ErrPlain)
	}
	return &Session{opts: o, broker: u, out: make(chan Message, o.Queue)}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Messages delivers what Kind describes. It is never closed.
func (s *Session) Messages() <-chan Message { return s.out }

// LastError is why the newest connection ended, nil while there is one.
func (s *Session) LastError() error {
	if err := s.lost.Load(); err != nil && !s.Connected() {
		return *err
	}
	return nil
}

// hint is what somebody at the gate can do about err.
func (s *Session) hint(err error) string {
	now := time.Now()
	if s.opts.TLS != nil && s.opts.TLS.Time != nil {
		now = s.opts.TLS.Time()
	}
	return hint(err, now)
}

// Connected reports whether there is a connection now.
func (s *Session) Connected() bool { return s.current() != nil }

// Serve keeps a connection until ctx ends, and returns its error.
func (s *Session) Serve(ctx context.Context) error {
	pause := s.opts.Backoff
	for ctx.Err() == nil {
		start := time.Now()
		err := s.connectOnce(ctx)
		if ctx.Err() != nil {
			break
		}
		// A connection that lasted starts the pauses anew; one that is
		// dropped at once, as with two clients of one id, does not.
		if time.Since(start) > s.opts.KeepAlive {
			pause = s.opts.Backoff
		}
		wait := time.Duration(rand.Int64N(int64(pause) + 1)) // full jitter: gates must not come back in step
		s.lost.Store(&err)
		s.opts.Logger.Warn("Broker connection ended", "error", err, "retry_in", wait, "hint", s.hint(err)+"; the gate goes on alone")
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		pause = min(2*pause, s.opts.MaxBackoff)
	}
	return ctx.Err()
}

// connectOnce is one connection from dial to loss.
func (s *Session) connectOnce(ctx context.Context) error {
	c := &connection{id: s.conns.Add(1)}
	lost, end := context.WithCancelCause(context.WithoutCancel(ctx)) // outlives ctx by the farewell
	context.AfterFunc(lost, c.close)
	defer end(nil)
	c.client = mqtt.NewClient(s.clientOptions(lost, end, c))
	defer c.client.Disconnect(250)
	tok := c.client.Connect()
	select {
	case <-tok.Done():
	case <-ctx.Done():
		end(ctx.Err())
		<-tok.Done()
	}
	if err := tok.Error(); err != nil {
		// What the network said is the better word: the client hides it.
		if cause := context.Cause(lost); cause != nil && cause != ErrLost { //nolint:errorlint // ErrLost bare says nothing
			err = cause
		}
		return fmt.Errorf("connect broker: %w", err)
	}
	if !s.push(lost, Message{Kind: Up, Conn: c.id}) {
		return ErrLost
	}
	s.set(c)
	defer s.finish(ctx, c)
	if err := s.subscribe(lost, c); err != nil {
		end(err)
		return context.Cause(lost) // what ended the connection, where that came first
	}
	if s.push(lost, Message{Kind: Ready, Conn: c.id}) {
		s.opts.Logger.Info("Broker connected", "connection", c.id)
	}
	select {
	case <-lost.Done():
	case <-ctx.Done():
		s.farewell(c)
		c.client.Disconnect(250)
		end(ctx.Err())
	}
	return context.Cause(lost)
}

// finish takes the connection out of use and says so. Down is dropped only
// when the session ends, since then nobody may be reading.
func (s *Session) finish(ctx context.Context, c *connection) {
	s.set(nil)
	c.mu.Lock() // a delivery under way ends with the connection
	c.over = true
	c.mu.Unlock()
	down := Message{Kind: Down, Conn: c.id}
	select {
	case s.out <- down:
		return
	default:
	}
	select {
	case s.out <- down:
	case <-ctx.Done():
	}
}

// farewell publishes the will before an orderly end, since the broker drops it
// then.
func (s *Session) farewell(c *connection) {
	if s.opts.Will == nil {
		return
	}
	topic, payload, retained := s.opts.Will(c.id)
	tok := c.client.Publish(topic, qos, retained, payload)
	tok.WaitTimeout(time.Second)
}

func (s *Session) clientOptions(lost context.Context, end context.CancelCauseFunc, c *connection) *mqtt.ClientOptions {
	o := mqtt.NewClientOptions()
	o.AddBroker(s.opts.Broker)
	o.SetClientID(s.opts.ClientID)
	o.SetProtocolVersion(4)
	o.SetCleanSession(true) // our cursors are the session; open tokens end with an error on loss
	o.SetAutoReconnect(false)
	o.SetConnectRetry(false)
	o.SetConnectTimeout(connectTimeout)
	o.SetWriteTimeout(writeTimeout)
	o.SetKeepAlive(s.opts.KeepAlive)
	o.SetPingTimeout(s.opts.KeepAlive / 2)
	o.SetOrderMatters(true)
	o.SetAutoAckDisabled(true)
	o.SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
		msg := Message{Kind: Received, Conn: c.id, Topic: m.Topic(), Payload: m.Payload(), Retained: m.Retained(), Ack: m.Ack}
		if !s.deliver(lost, c, msg) {
			end(fmt.Errorf("deliver message: %w: reader too slow", ErrLost))
		}
	})
	o.SetConnectionLostHandler(func(_ mqtt.Client, err error) { end(fmt.Errorf("%w: %w", ErrLost, err)) })
	if s.opts.Will != nil {
		topic, payload, retained := s.opts.Will(c.id)
		o.SetBinaryWill(topic, payload, qos, retained)
	}
	o.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
		conn, err := s.dial(lost)
		if err != nil {
			return nil, err
		}
		g := &guard{Conn: conn, max: s.opts.MaxPacket, lost: end}
		c.net.Store(g)
		if lost.Err() != nil { // ended between dial and here
			_ = conn.Close()
		}
		return g, nil
	})
	return o
}

// deliver pushes a received message unless Down has been said.
func (s *Session) deliver(lost context.Context, c *connection, m Message) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.over && lost.Err() == nil && s.push(lost, m)
}

// push delivers m within PushWait or while the connection lasts. It is called
// in the client's own receiving goroutine, which must come back whatever
// happens: the client reports a loss only after it.
func (s *Session) push(lost context.Context, m Message) bool {
	select {
	case s.out <- m:
		return true
	case <-lost.Done():
		return false
	default:
	}
	t := time.NewTimer(s.opts.PushWait)
	defer t.Stop()
	select {
	case s.out <- m:
		return true
	case <-lost.Done():
	case <-t.C:
	}
	return false
}

func (s *Session) subscribe(lost context.Context, c *connection) error {
	if len(s.opts.Filters) == 0 {
		return nil
	}
	filters := make(map[string]byte, len(s.opts.Filters))
	for _, f := range s.opts.Filters {
		filters[f] = qos
	}
	tok := c.client.SubscribeMultiple(filters, nil)
	if err := await(lost, tok); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	for f, code := range tok.(*mqtt.SubscribeToken).Result() {
		if code > 2 {
			return fmt.Errorf("subscribe %s: broker refused with code %#x", f, code)
		}
	}
	return nil
}

func await(lost context.Context, tok mqtt.Token) error {
	t := time.NewTimer(connectTimeout)
	defer t.Stop()
	select {
	case <-tok.Done():
		return tok.Error()
	case <-lost.Done():
		return ErrLost
	case <-t.C:
		return context.DeadlineExceeded
	}
}

func (s *Session) set(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cur = c
}

func (s *Session) current() *connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cur
}
