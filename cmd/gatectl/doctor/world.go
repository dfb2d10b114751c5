package doctor

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"bordergate/cmd/gatectl/devices"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
)

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Synced == nil {
		o.Synced = KernelClock
	}
	if o.Disk == nil {
		o.Disk = statDisk
	}
	if o.Camera == nil {
		o.Camera = devices.Camera
	}
	if o.Handshake == nil {
		o.Handshake = o.handshake
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: 3 * time.Second}).DialContext
	}
	return o
}

func statDisk(path string) (free, size uint64, err error) {
	var s unix.Statfs_t
	err = unix.Statfs(path, &s)
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), err
}

// KernelClock asks the kernel whether the clock is synchronised, and how far it
// may be off.
func KernelClock() (synced bool, offBy time.Duration) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0, time.Duration(t.Maxerror) * time.Microsecond
}

// gated says whether the daemon runs and whether it serves.
func (o Options) gated(ctx context.Context) finding {
	if o.Gated == nil {
		return well("does not run here; devices are asked directly")
	}
	var s struct {
		Faults []struct{ Part, Error string }
		Lane   struct{ State, Cause string }
	}
	doc, err := o.Gated(ctx, "/v1/status")
	if err == nil {
		err = json.Unmarshal(doc, &s)
	}
	switch {
	case err != nil:
		return ill(err, "see journalctl -u gated; start it again")
	case len(s.Faults) > 0:
		texts := make([]string, len(s.Faults))
		for i, f := range s.Faults {
			texts[i] = f.Part + ": " + f.Error
		}
		return ill(errors.New(strings.Join(texts, "; ")), "mend what it names; it says how")
	}
	return well("it runs; the lane is %s %s", s.Lane.State, s.Lane.Cause)
}

func (o Options) versions(ctx context.Context) finding {
	if o.Gated == nil {
		return well("gatectl %s", o.Version)
	}
	var d struct{ Software string }
	doc, err := o.Gated(ctx, "/v1/diagnostics")
	if err == nil {
		err = json.Unmarshal(doc, &d)
	}
	switch {
	case err != nil:
		return ill(err, "gated and gatectl should be of the same version")
	case d.Software != o.Version:
		return ill(fmt.Errorf("gated is %s, gatectl %s", d.Software, o.Version), "install one package and start gated again")
	}
	return well("gated and gatectl %s", o.Version)
}

// broker shakes hands with headquarters' broker, as the daemon would.
func (o Options) broker(ctx context.Context) finding {
	u, err := url.Parse(o.Config.HQ.Broker)
	if err != nil {
		return ill(err, "correct hq.broker")
	}
	conn, err := o.Dial(ctx, "tcp", u.Host)
	if err != nil {
		return ill(err, "see whether headquarters' broker runs and whether network and firewall let this gate reach it; travellers are served from the cache meanwhile")
	}
	defer conn.Close()
	if u.Scheme != "ssl" {
		return well("%s takes connections", u.Host)
	}
	text, err := o.Handshake(ctx, conn, u.Hostname())
	if err != nil {
		return ill(fmt.Errorf("TLS: %w", err), "the name in hq.broker must be in headquarters' certificate, hq.json be its newest, and both clocks right; mend identity and certificate first where their lines say so")
	}
	return well("%s, %s", u.Host, text)
}

func (o Options) handshake(ctx context.Context, conn net.Conn, host string) (string, error) {
	b, err := o.readBundle()
	if err != nil {
		return "", err
	}
	conf, err := vault.ClientTLS(o.Config.Paths.Identity, o.Config.Gate.ID, b, o.Now)
	if err != nil {
		return "", err
	}
	conf.ServerName = host
	t := tls.Client(conn, conf)
	if err := t.HandshakeContext(ctx); err != nil {
		return "", err
	}
	return tls.VersionName(t.ConnectionState().Version), nil
}

const cureClock = "timedatectl and chronyc sources tell why; set up the station's time server"

// clock judges the time as the daemon does.
func (o Options) clock(ctx context.Context) finding {
	if o.Gated != nil {
		return o.clockOfGated(ctx)
	}
	synced, offBy := o.Synced()
	if floor := o.floor(); o.Now().Before(floor.Add(-2 * time.Second)) {
		return ill(fmt.Errorf("it is behind the newest time that headquarters signed, %s: it is wrong, and everybody is referred", floor.UTC().Format(time.RFC3339)), cureClock)
	}
	switch {
	case synced:
		return well("synchronised, off by %v at most", offBy.Round(time.Microsecond))
	case o.Config.Simulated:
		return well("not synchronised; a simulated gate does with that")
	}
	return ill(errors.New("nobody vouches for it: it is not synchronised"), cureClock)
}

// clockOfGated is the daemon's own word, which knows the newest signed time.
func (o Options) clockOfGated(ctx context.Context) finding {
	var s struct{ Clock string }
	doc, err := o.Gated(ctx, "/v1/status")
	if err == nil {
		err = json.Unmarshal(doc, &s)
	}
	switch {
	case err != nil:
		return ill(err, "see the line of gated")
	case strings.Contains(s.Clock, "bad"), strings.Contains(s.Clock, "plausible") && !o.Config.Simulated:
		return ill(fmt.Errorf("gated calls it %s", s.Clock), cureClock)
	}
	return well("%s", s.Clock)
}

// floor is the newest signed time in the journal, zero where it cannot be read.
func (o Options) floor() time.Time {
	r, err := journal.OpenReadOnly(filepath.Join(o.Config.Paths.State, "journal.db"))
	if err != nil {
		return time.Time{}
	}
	defer r.Close()
	ns, err := r.Fact("time_floor")
	if err != nil || ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(ns))
}

func (o Options) vision(context.Context) finding {
	path, err := o.Program()
	if err != nil {
		return ill(err, "install gatevision beside gatectl, or name it with vision.program")
	}
	return well("%s", path)
}

// statusPage sees whether the page's port is the daemon's, or free for it.
func (o Options) statusPage(ctx context.Context) finding {
	address := o.Config.Status.Listen
	if o.Gated != nil {
		conn, err := o.Dial(ctx, "tcp", address)
		if err != nil && !strings.HasSuffix(address, ":0") {
			return ill(err, "see the faults of gated; another program may have had the port at its start")
		}
		if err == nil {
			_ = conn.Close()
		}
		return well("http://%s/", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return ill(err, "end the program that has the port (ss -ltnp), or set another status.listen")
	}
	_ = l.Close()
	return well("%s is free for it", address)
}
