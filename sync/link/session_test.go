package link_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"bordergate/sync/link"
	"bordergate/sync/link/linktest"
)

const patience = 30 * time.Second

// next reads messages until one of the kind.
func next(t *testing.T, s *link.Session, kind link.Kind) link.Message {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case m := <-s.Messages():
			if m.Kind == kind {
				return m
			}
		case <-limit:
			t.Fatalf("waited in vain for kind %d", kind)
		}
	}
}

// serve runs a session until stop.
func serve(t *testing.T, o link.Options) (s *link.Session, stop func()) {
	t.Helper()
	if o.Backoff == 0 {
		o.Backoff, o.MaxBackoff = 5*time.Millisecond, 50*time.Millisecond
	}
	s, err := link.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return s, stop
}

func TestOptionsAreChecked(t *testing.T) {
	for name, tc := range map[string]struct {
		o  link.Options
		ok bool
	}{
		"loopback":        {link.Options{Broker: "tcp://127.0.0.1:1", ClientID: "x"}, true},
		"loopback 6":      {link.Options{Broker: "tcp://[::1]:1", ClientID: "x"}, true},
		"name":            {link.Options{Broker: "tcp://localhost:1", ClientID: "x"}, true},
		"TLS":             {link.Options{Broker: "ssl://hq.example:1", ClientID: "x"}, true},
		"plain":           {link.Options{Broker: "tcp://hq.example:1", ClientID: "x"}, false},
		"plain, wanted":   {link.Options{Broker: "tcp://hq.example:1", ClientID: "x", AllowPlain: true}, true},
		"web":             {link.Options{Broker: "ws://127.0.0.1:1", ClientID: "x"}, false},
		"no id":           {link.Options{Broker: "tcp://127.0.0.1:1"}, false},
		"no broker":       {link.Options{ClientID: "x"}, false},
		"loopback lookup": {link.Options{Broker: "tcp://127.0.0.1.evil.example:1", ClientID: "x"}, false},
	} {
		if _, err := link.New(tc.o); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRetainedWillAndReturn(t *testing.T) {
	b := linktest.NewBroker(t)
	first, _ := serve(t, link.Options{Broker: b.URL(), ClientID: "one", Filters: []string{"t/#"}})
	next(t, first, link.Ready)
	will := func(uint64) (string, []byte, bool) { return "t/death", []byte("gone"), false }
	second, _ := serve(t, link.Options{Broker: b.URL(), ClientID: "two", Will: will, Filters: []string{"t/state"}})
	next(t, second, link.Ready)
	if err := second.Publish(t.Context(), "t/state", []byte("kept"), true); err != nil {
		t.Fatal(err)
	}
	if m := next(t, first, link.Received); m.Topic != "t/state" || m.Retained {
		t.Fatalf("live: %+v", m)
	} else {
		m.Ack()
	}
	second.Drop()
	if m := next(t, first, link.Received); m.Topic != "t/death" || string(m.Payload) != "gone" {
		t.Fatalf("after the drop: %s", m.Topic)
	}
	next(t, second, link.Down)
	if m := next(t, second, link.Received); m.Topic != "t/state" || !m.Retained || m.Conn != 2 {
		t.Fatalf("on the second connection: %+v", m)
	}
}

func TestOrderlyEndPublishesTheWill(t *testing.T) {
	b := linktest.NewBroker(t)
	watcher, _ := serve(t, link.Options{Broker: b.URL(), ClientID: "one", Filters: []string{"t/#"}})
	next(t, watcher, link.Ready)
	s, stop := serve(t, link.Options{
		Broker: b.URL(), ClientID: "two", Will: func(uint64) (string, []byte, bool) { return "t/death", []byte("gone"), false },
	})
	next(t, s, link.Ready)
	stop()
	if m := next(t, watcher, link.Received); m.Topic != "t/death" {
		t.Fatalf("got %s", m.Topic)
	}
}

func TestBrokerStopsAndStarts(t *testing.T) {
	b := linktest.NewBroker(t)
	s, _ := serve(t, link.Options{Broker: b.URL(), ClientID: "one", Filters: []string{"t/#"}})
	next(t, s, link.Ready)
	b.Stop()
	next(t, s, link.Down)
	if err := s.Publish(t.Context(), "t/x", nil, false); !errors.Is(err, link.ErrOffline) {
		t.Fatalf("publish without a broker: %v", err)
	}
	b.Start()
	next(t, s, link.Ready)
	if err := s.Publish(t.Context(), "t/x", []byte("back"), false); err != nil {
		t.Fatal(err)
	}
	if m := next(t, s, link.Received); string(m.Payload) != "back" {
		t.Fatalf("got %q", m.Payload)
	}
}

// liar is a broker on a pipe that accepts everything and never acknowledges a
// publish. Flood has it send that many messages after a subscription.
type liar struct {
	flood     int
	announced int // remaining length of one malformed packet, 0: none
	dials     chan struct{}
	conns     chan net.Conn
}

func newLiar() *liar {
	return &liar{dials: make(chan struct{}, 1000), conns: make(chan net.Conn, 1000)}
}

func (l *liar) dial(context.Context) (net.Conn, error) {
	here, there := net.Pipe()
	go l.serve(there)
	l.dials <- struct{}{}
	l.conns <- there
	return here, nil
}

func (l *liar) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	for {
		p, err := packets.ReadPacket(c)
		if err != nil {
			return
		}
		switch p := p.(type) {
		case *packets.ConnectPacket:
			err = packets.NewControlPacket(packets.Connack).Write(c)
		case *packets.SubscribePacket:
			ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
			ack.MessageID, ack.ReturnCodes = p.MessageID, make([]byte, len(p.Topics))
			if err = ack.Write(c); err == nil {
				go l.send(c)
			}
		case *packets.PingreqPacket:
			err = packets.NewControlPacket(packets.Pingresp).Write(c)
		}
		if err != nil {
			return
		}
	}
}

func (l *liar) send(c net.Conn) {
	for i := range l.flood {
		m := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
		m.TopicName, m.Qos, m.MessageID = "t/x", 1, uint16(i+1)
		if m.Write(c) != nil {
			return
		}
	}
	if l.announced > 0 {
		b := []byte{0x32}
		for n := l.announced; ; n >>= 7 {
			if n < 128 {
				b = append(b, byte(n))
				break
			}
			b = append(b, byte(n)|0x80)
		}
		_, _ = c.Write(b)
	}
}

// unacknowledged publishes ten times over the library's client with the
// session's options, of which no publish is acknowledged before the connection
// is cut, and gives the ends of those that end within a minute.
func unacknowledged(t *testing.T, change func(*mqtt.ClientOptions)) (ends []error) {
	t.Helper()
	l := newLiar()
	s, err := link.New(link.Options{Broker: "tcp://127.0.0.1:1", ClientID: "x", Dial: l.dial})
	if err != nil {
		t.Fatal(err)
	}
	o := s.ClientOptions()
	change(o)
	c := mqtt.NewClient(o)
	if tok := c.Connect(); !tok.WaitTimeout(patience) || tok.Error() != nil {
		t.Fatalf("connect: %v", tok.Error())
	}
	var tokens []mqtt.Token
	for range 10 {
		tokens = append(tokens, c.Publish("t/x", 1, false, "x"))
	}
	synctest.Wait()
	_ = (<-l.conns).Close()
	<-time.After(time.Minute) // on the bubble's clock: there is time to reconnect
	for _, tok := range tokens {
		select {
		case <-tok.Done():
			ends = append(ends, tok.Error())
		default:
		}
	}
	c.Disconnect(250)
	synctest.Wait()
	return ends
}

// TestFalseAcknowledgementNeverCounts holds the client library to the one
// behaviour on which nothing may be lost: when a connection ends, a publish
// that was never acknowledged ends with an error. With the library's own
// reconnection it ends without one, which shows that the test would see it.
func TestFalseAcknowledgementNeverCounts(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*mqtt.ClientOptions)
		lies   int
	}{
		"as the session has it": {func(*mqtt.ClientOptions) {}, 0},
		"with reconnection":     {func(o *mqtt.ClientOptions) { o.SetAutoReconnect(true) }, 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ends, lies := unacknowledged(t, c.change), 0
				for _, err := range ends {
					if err == nil {
						lies++
					}
				}
				if len(ends) != 10 || lies != c.lies {
					t.Errorf("%d of 10 publishes ended, %d of them without an error; want 10, %d", len(ends), lies, c.lies)
				}
			})
		})
	}
}

// TestPublishWithoutAcknowledgementFails is the same through the session.
func TestPublishWithoutAcknowledgementFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiar()
		s, stop := serve(t, link.Options{Broker: "tcp://127.0.0.1:1", ClientID: "x", Dial: l.dial})
		next(t, s, link.Ready)
		conn := <-l.conns
		results := make(chan error, 10)
		for range cap(results) {
			go func() { results <- s.Publish(t.Context(), "t/x", []byte("x"), false) }()
		}
		synctest.Wait()
		_ = conn.Close()
		next(t, s, link.Ready) // on a client of its own
		for range cap(results) {
			if err := <-results; err == nil {
				t.Error("a publish without acknowledgement ended without an error")
			}
		}
		stop()
	})
}

// TestSlowReaderLosesTheConnectionOnly blocks the reader of messages: the
// session must come back by itself with everything it dropped known as lost.
func TestSlowReaderLosesTheConnectionOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiar()
		l.flood = 20
		s, stop := serve(t, link.Options{
			Broker: "tcp://127.0.0.1:1", ClientID: "x", Dial: l.dial, Filters: []string{"t/#"}, Queue: 4,
		})
		<-l.dials
		<-time.After(20 * time.Second) // nobody reads: PushWait passes on the bubble's clock
		var kinds []link.Kind
		for len(kinds) == 0 || kinds[len(kinds)-1] != link.Down {
			kinds = append(kinds, (<-s.Messages()).Kind)
		}
		if kinds[0] != link.Up {
			t.Errorf("first came kind %d", kinds[0])
		}
		if m := next(t, s, link.Up); m.Conn < 2 {
			t.Errorf("connection %d after the loss", m.Conn)
		}
		stop()
	})
}

func TestHugePacketIsRefusedByItsHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLiar()
		l.announced = 200 << 20
		s, stop := serve(t, link.Options{Broker: "tcp://127.0.0.1:1", ClientID: "x", Dial: l.dial, Filters: []string{"t/#"}, Backoff: time.Hour, MaxBackoff: time.Hour})
		next(t, s, link.Up) // the packet may come before the session can say Ready
		from := time.Now()
		next(t, s, link.Down)
		synctest.Wait()
		// The keep-alive would end it too, but only after the memory was taken.
		if err := s.LastError(); time.Since(from) > time.Second || !errors.Is(err, link.ErrTooLarge) {
			t.Errorf("after %v: %v", time.Since(from), err)
		}
		stop()
	})
}

// TestPausesGrowAndVary watches the pauses between attempts that fail.
func TestPausesGrowAndVary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		dial := func(context.Context) (net.Conn, error) {
			at = append(at, time.Now())
			return nil, errors.New("refused")
		}
		_, stop := serve(t, link.Options{
			Broker: "tcp://127.0.0.1:1", ClientID: "x", Dial: dial, Backoff: time.Second, MaxBackoff: 8 * time.Second,
		})
		<-time.After(10 * time.Minute) // on the bubble's clock
		stop()
		limit := time.Second
		var longest time.Duration
		short := 0 // pauses of less than half of what they might be
		for i := 1; i < len(at); i++ {
			pause := at[i].Sub(at[i-1])
			if pause > limit+300*time.Millisecond { // the client takes up to 250 ms to end
				t.Errorf("pause %d is %v, at most %v", i, pause, limit)
			}
			longest = max(longest, pause)
			if pause < limit/2 {
				short++
			}
			limit = min(2*limit, 8*time.Second)
		}
		// Full jitter: gates that lost one broker must not come back in step.
		if len(at) < 20 || longest < 4*time.Second || short < len(at)/5 || short > len(at)*4/5 {
			t.Errorf("%d attempts, longest pause %v, %d short ones", len(at), longest, short)
		}
	})
}
