package link

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// userTimeout is how long the kernel keeps unacknowledged bytes before it
// gives the connection up: a write into a dead link ends by it.
const userTimeout = 20 * time.Second

// dial opens the network connection. It reads no proxy from the environment.
func (s *Session) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if s.opts.Dial != nil {
		return s.opts.Dial(ctx)
	}
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		var set error
		err := raw.Control(func(fd uintptr) {
			set = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
		})
		if err != nil {
			return err
		}
		return set
	}}
	conn, err := d.DialContext(ctx, "tcp", s.broker.Host)
	if err != nil {
		return nil, fmt.Errorf("dial broker: %w", err)
	}
	if s.broker.Scheme == "tcp" {
		return conn, nil
	}
	cfg := s.opts.TLS.Clone()
	if cfg == nil {
		cfg = &tls.Config{}
	}
	cfg.MinVersion = tls.VersionTLS13
	if cfg.ServerName == "" {
		cfg.ServerName = s.broker.Hostname()
	}
	t := tls.Client(conn, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("dial broker: %w", err)
	}
	return t, nil
}

// guard is the connection as the client sees it. It refuses a packet that
// announces more than max bytes before anything is allocated for it, and it
// reports the connection's end at once, also while the client is busy.
type guard struct {
	net.Conn
	max  int
	lost context.CancelCauseFunc

	// Only the client's reader touches these.
	skip  int // bytes of the present packet's body still to come
	size  int // remaining length as read so far
	shift int // bits of it
	field bool
}

// Read passes the stream on as long as its packets are of allowed size.
func (g *guard) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if werr := g.watch(p[:n]); werr != nil {
		g.lost(fmt.Errorf("%w: %w", ErrLost, werr))
		return 0, werr
	}
	if err != nil {
		g.lost(fmt.Errorf("%w: %w", ErrLost, err))
	}
	return n, err
}

// Write gives every write its time. The client does so for a publish only: its
// pings and acknowledgements would hang in a dead link for ever, and with them
// the detection of its death.
func (g *guard) Write(p []byte) (int, error) {
	if err := g.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	n, err := g.Conn.Write(p)
	if err != nil {
		g.lost(fmt.Errorf("%w: %w", ErrLost, err))
	}
	return n, err
}

// Close ends the connection.
func (g *guard) Close() error {
	g.lost(ErrLost)
	return g.Conn.Close()
}

// watch follows the fixed headers (MQTT 3.1.1 §2.2).
func (g *guard) watch(p []byte) error {
	for len(p) > 0 {
		if g.skip > 0 {
			n := min(g.skip, len(p))
			g.skip -= n
			p = p[n:]
			continue
		}
		b := p[0]
		p = p[1:]
		if !g.field { // packet type
			g.field, g.size, g.shift = true, 0, 0
			continue
		}
		g.size |= int(b&0x7f) << g.shift
		g.shift += 7
		if g.size > g.max || g.shift > 28 {
			return ErrTooLarge
		}
		if b&0x80 == 0 {
			g.field, g.skip = false, g.size
		}
	}
	return nil
}
