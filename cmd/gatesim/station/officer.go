package station

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"

	"bordergate/sync/wire"
)

// officerID is the one officer of the simulator.
const officerID = "sim-officer"

// ErrAct is returned where the gate does not follow an officer's act.
var ErrAct = errors.New("act was refused")

// AddOfficer has headquarters certify an officer, whose key is made now and
// kept in memory alone. The gate hears of him as of any list.
func (s *Station) AddOfficer(ctx context.Context) error {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("add officer: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return fmt.Errorf("add officer: %w", err)
	}
	file := s.o.path("officer.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		return fmt.Errorf("add officer: %w", err)
	}
	if _, err := s.hqd(ctx, "officer", "add", "--id", officerID, "--key", file, "--act", wire.ActSignOff, "--act", wire.ActOverride,
		"--crossing", Crossing, "--by", "Simulated Office"); err != nil {
		return err
	}
	s.officer = wire.Signer{Kid: wire.Officer{Key: public}.Kid(), Role: wire.RoleOfficer, Key: key}
	return nil
}

// SignOff is the officer's word that the lane is safe, at the gate itself.
func (s *Station) SignOff(ctx context.Context) error {
	return s.act(ctx, wire.Act{Do: wire.ActSignOff})
}

// WaitSignedOff repeats it until the gate follows: its input has to be read
// first.
func (s *Station) WaitSignedOff(ctx context.Context) error {
	var last error
	err := s.wait(ctx, "officer's sign-off", readyLimit, s.gate, func() bool {
		last = s.SignOff(ctx)
		return last == nil
	})
	if err != nil {
		return errors.Join(err, last)
	}
	return nil
}

// act signs over the gate's own nonce, as an officer's key would.
func (s *Station) act(ctx context.Context, a wire.Act) error {
	c := overSocket(s.o.path("gated.sock"))
	b, err := post(ctx, c, "http://gated/v1/officer/nonce", nil)
	if err != nil {
		return err
	}
	var n struct{ Gate, Nonce string }
	if err := json.Unmarshal(b, &n); err != nil {
		return fmt.Errorf("read nonce: %w", err)
	}
	a.Nonce = n.Nonce
	signed, err := wire.SignJSON(s.officer, wire.Header{Typ: wire.TypeAct, Ver: 1, To: n.Gate}, a)
	if err != nil {
		return err
	}
	_, err = post(ctx, c, "http://gated/v1/officer/act", signed)
	return err
}

func post(ctx context.Context, c *http.Client, url string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	res, err := c.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: %d: %.200s", ErrAct, res.StatusCode, b.String())
	}
	return b.Bytes(), nil
}
