package station

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"bordergate/configs"
	"bordergate/sync/wire"
)

// NewSecureHeadquarters is NewHeadquarters with TLS. Its broker is its own
// unless another is given, which gets a folder of files made by "hqd broker
// certify" and returns the URL at which it listens.
func NewSecureHeadquarters(ctx context.Context, dir, bin string, another func(files string) (string, error)) (*Headquarters, error) {
	h, err := newHeadquarters(ctx, dir, bin)
	if err != nil {
		return nil, err
	}
	if another == nil {
		if h.Address, err = freeAddress(); err != nil {
			return nil, err
		}
		h.Broker = "ssl://" + h.Address
		return h, h.configure(func(c *configs.HQ) { c.Listen = h.Broker })
	}
	files := h.path("broker")
	if _, err := command(ctx, h.program(), "broker", "certify", "--identity", h.path("identity"), "--name", "127.0.0.1", "--out", files); err != nil {
		return nil, err
	}
	if h.Broker, err = another(files); err != nil {
		return nil, err
	}
	u, err := url.Parse(h.Broker)
	if err != nil {
		return nil, fmt.Errorf("make headquarters: %w", err)
	}
	h.Address = u.Host
	return h, h.configure(func(c *configs.HQ) { c.Broker = h.Broker })
}

// ErrNotSimulated is returned for a headquarters that is in earnest.
var ErrNotSimulated = errors.New("headquarters is not a simulated one")

// OpenHeadquarters takes the headquarters that runs by a file on this machine
// and says of itself that it is simulated. It is neither started nor stopped.
func OpenHeadquarters(ctx context.Context, file, bin string) (*Headquarters, error) {
	c, faults := configs.LoadHQ(file)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	h := &Headquarters{bin: bin, file: file, http: overSocket(c.Control), Bundle: filepath.Join(c.Identity, "hq.json"), Broker: c.Broker}
	raw, err := os.ReadFile(h.Bundle)
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	b, err := wire.ReadOwnBundle(raw)
	if err != nil {
		return nil, err
	}
	h.Fingerprint = wire.Fingerprint(b.Root)
	st, err := h.Status(ctx)
	if err != nil {
		return nil, err
	}
	if !st.Simulated {
		return nil, fmt.Errorf("%w: it needs \"simulated: true\" in %s", ErrNotSimulated, file)
	}
	h.Address = st.Address
	if h.Broker == "" {
		scheme, _, named := strings.Cut(c.Listen, "://")
		if !named {
			scheme = "tcp"
		}
		h.Broker = scheme + "://" + st.Address
	}
	return h, nil
}

// Get asks hqd's control socket.
func (h *Headquarters) Get(ctx context.Context, path string, out any) error {
	b, err := get(ctx, h.http, "http://hqd"+path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, out)
}

// Command runs one of hqd's commands and returns what it printed, also where
// its answer is negative.
func (h *Headquarters) Command(ctx context.Context, args ...string) ([]byte, error) {
	return command(ctx, h.program(), append(args, "--config", h.file)...)
}
