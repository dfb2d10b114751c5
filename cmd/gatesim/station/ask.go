package station

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"time"

	"bordergate/sync/journal"
	"bordergate/sync/wire"
)

// Status is the part of the gate's status that the simulator looks at.
type Status struct {
	Lane struct {
		State string `json:"state"`
		Cause string `json:"cause"`
	} `json:"lane"`
	Faults []struct {
		Part  string `json:"part"`
		Error string `json:"error"`
	} `json:"faults"`
	Devices []Device `json:"devices"`
	HQ      struct {
		Connected  bool   `json:"connected"`
		CatchingUp bool   `json:"catching_up"`
		Cursor     uint64 `json:"accounts_cursor"`
		Issued     string `json:"accounts_issued"`
	} `json:"hq"`
	Journal []struct {
		Stream string `json:"stream"`
		Last   uint64 `json:"last"`
		Acked  uint64 `json:"acknowledged"`
	} `json:"journal"`
}

// Device is a device of the gate.
type Device struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Starts int    `json:"starts"`
}

// Restarted names the camera whose worker has started since before, or none.
func (s Status) Restarted(before Status) string {
	for i, d := range s.Devices {
		if i < len(before.Devices) && d.Name == before.Devices[i].Name && d.Starts > before.Devices[i].Starts {
			return d.Name
		}
	}
	return ""
}

// Serving tells that every device is well and the lane is at work.
func (s Status) Serving() bool {
	for _, d := range s.Devices {
		if !d.OK {
			return false
		}
	}
	switch s.Lane.State {
	case "closed", "self_test", "out_of_service", "maintenance", "emergency", "blocked", "":
		return false
	default:
		return len(s.Devices) > 0
	}
}

// Status asks the gate's status page.
func (s *Station) Status(ctx context.Context) (Status, error) {
	var st Status
	b, err := get(ctx, http.DefaultClient, "http://"+s.status+"/status.json")
	if err != nil {
		return st, err
	}
	return st, json.Unmarshal(b, &st)
}

type hqStatus struct {
	Online bool      `json:"online"`
	Head   wire.Head `json:"head"`
}

func (s *Station) hqStatus(ctx context.Context) (hqStatus, error) {
	var st hqStatus
	b, err := get(ctx, overSocket(s.o.path("hqd.sock")), "http://hqd/status")
	if err != nil {
		return st, err
	}
	return st, json.Unmarshal(b, &st)
}

// overSocket is a client that speaks HTTP over a UNIX socket.
func overSocket(path string) *http.Client {
	var d net.Dialer
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "unix", path)
	}}}
}

func get(ctx context.Context, c *http.Client, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
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
		return nil, fmt.Errorf("ask: %s: %.200s", res.Status, b.String())
	}
	return b.Bytes(), nil
}

// hqd runs one command of headquarters.
func (s *Station) hqd(ctx context.Context, args ...string) ([]byte, error) {
	return command(ctx, s.o.Program("hqd"), append(args, "--config", s.o.path("hq.yaml"))...)
}

// Officer makes an account of the console that may do all, with a password of
// this run alone, and gives the password.
func (s *Station) Officer(ctx context.Context, name string) (string, error) {
	out, err := s.hqd(ctx, "console", "user", "add", "--generate", "--name", name, "--person", "Simulated Officer", "--role", "commander",
		"--officer", name, "--by", "Simulated Office")
	if err != nil {
		return "", err
	}
	var made struct {
		Password string `json:"password"`
	}
	if err := json.Unmarshal(out, &made); err != nil {
		return "", fmt.Errorf("read hqd console user add: %w", err)
	}
	return made.Password, nil
}

// PublishTrust has headquarters publish whose seals gates believe. Anchors are
// the SHA-256 of the roots, which a person would have compared by eye.
func (s *Station) PublishTrust(ctx context.Context, anchors ...string) error {
	args := []string{"trust", "publish", "--by", "Simulated Office", "--dir", s.o.path("hq/trust")}
	for _, a := range anchors {
		args = append(args, "--fingerprint", a)
	}
	_, err := s.hqd(ctx, args...)
	return err
}

// Account is an account to be enrolled.
type Account struct {
	ID           string `json:"id"`
	Level        int    `json:"level"`
	Kind         string `json:"kind"`
	Model        string `json:"model"`
	Reference    []byte `json:"reference"`
	Organisation string `json:"organisation,omitempty"`
}

// PutAccounts enrols accounts and waits until the gate has them.
func (s *Station) PutAccounts(ctx context.Context, list []Account) error {
	b, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("write accounts: %w", err)
	}
	file := s.o.path("accounts.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return fmt.Errorf("write accounts: %w", err)
	}
	if _, err := s.hqd(ctx, "account", "put", "--file", file); err != nil {
		return err
	}
	return s.WaitCaughtUp(ctx)
}

// WaitCaughtUp waits until the gate has every change that headquarters has
// published.
func (s *Station) WaitCaughtUp(ctx context.Context) error {
	return s.wait(ctx, "gate to follow headquarters", touchLimit, s.gate, func() bool {
		hq, err := s.hqStatus(ctx)
		if err != nil {
			return false
		}
		st, err := s.Status(ctx)
		return err == nil && st.HQ.Connected && !st.HQ.CatchingUp && st.HQ.Cursor >= hq.Head.Seq
	})
}

// Decide suspends or restores an account and returns the decision's id.
func (s *Station) Decide(ctx context.Context, action, account string) (string, error) {
	ground := "security_risk"
	if action == "restore" {
		ground = "risk_cleared"
	}
	out, err := s.hqd(ctx, "decide", action, "--account", account, "--by", "Simulated Commander", "--role", "station_commander", "--authorisation", "SIM-1", "--ground", ground)
	if err != nil {
		return "", err
	}
	return decisionOf(out)
}

// Watch puts an account on the watch-list and waits until the gate knows.
func (s *Station) Watch(ctx context.Context, account string) error {
	if _, err := s.hqd(ctx, "watch", "add", "--account", account, "--by", "Simulated Office"); err != nil {
		return err
	}
	return s.WaitCaughtUp(ctx)
}

// WaitOlder waits until the newest word of headquarters that the gate has is
// older than age.
func (s *Station) WaitOlder(ctx context.Context, age time.Duration) error {
	return s.wait(ctx, "gate's cache to grow old", touchLimit, s.gate, func() bool {
		st, err := s.Status(ctx)
		if err != nil {
			return false
		}
		issued, err := time.Parse(time.RFC3339, st.HQ.Issued)
		return err == nil && time.Since(issued) > age+time.Second // it is told in whole seconds
	})
}

// Revoke revokes a pass and returns the decision's id.
func (s *Station) Revoke(ctx context.Context, number string) (string, error) {
	out, err := s.hqd(ctx, "pass", "revoke", "--number", number, "--by", "Simulated Office", "--ground", "lost")
	if err != nil {
		return "", err
	}
	return decisionOf(out)
}

// Stamp is a verification stamp on a pass.
type Stamp struct {
	Pass string    `json:"pass"`
	By   string    `json:"by"`
	At   time.Time `json:"at"`
}

// PutStamps tells headquarters of stamps and waits until the gate knows them.
func (s *Station) PutStamps(ctx context.Context, list []Stamp) error {
	b, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("write stamps: %w", err)
	}
	file := s.o.path("stamps.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return fmt.Errorf("write stamps: %w", err)
	}
	if _, err := s.hqd(ctx, "stamp", "--file", file); err != nil {
		return err
	}
	return s.WaitCaughtUp(ctx)
}

// decisionOf reads the id from what headquarters answers to an order.
func decisionOf(out []byte) (string, error) {
	var d struct {
		Decision string `json:"decision"`
	}
	if err := json.Unmarshal(out, &d); err != nil || d.Decision == "" {
		return "", fmt.Errorf("read decision: %w", errors.Join(err, errors.New("no id")))
	}
	return d.Decision, nil
}

// WaitApplied waits until every gate has reported that it follows a decision.
func (s *Station) WaitApplied(ctx context.Context, decision string) error {
	var last error
	err := s.wait(ctx, "decision to be applied", touchLimit, s.gate, func() bool {
		_, last = s.hqd(ctx, "applied", "--decision", decision)
		return last == nil
	})
	var exit *exec.ExitError
	if err != nil && !errors.As(last, &exit) {
		err = errors.Join(err, last)
	}
	return err
}

// Journal reads every record of the gate's journal through its control socket.
func (s *Station) Journal(ctx context.Context) ([]journal.Line, error) {
	b, err := get(ctx, overSocket(s.o.path("gated.sock")), "http://gated/v1/journal/export")
	if err != nil {
		return nil, err
	}
	return lines(b)
}

// HQRecords reads every record that headquarters holds of the gate.
func (s *Station) HQRecords(ctx context.Context) ([]journal.Line, error) {
	var all []journal.Line
	for _, stream := range wire.Streams() {
		b, err := s.hqd(ctx, "records", "--gate", GateID, "--stream", stream.String())
		if err != nil {
			return nil, err
		}
		part, err := lines(b)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return all, nil
}

func lines(b []byte) ([]journal.Line, error) {
	var out []journal.Line
	for d := json.NewDecoder(bytes.NewReader(b)); d.More(); {
		var l journal.Line
		if err := d.Decode(&l); err != nil {
			return nil, fmt.Errorf("read records: %w", err)
		}
		if l.Kind == "" {
			return nil, errors.New("read records: a line that is no record")
		}
		out = append(out, l)
	}
	return out, nil
}

// WaitDevice waits until the gate says of a device that it is well, or is not.
func (s *Station) WaitDevice(ctx context.Context, name string, ok bool) error {
	return s.wait(ctx, "gate to notice its "+name, readyLimit, s.gate, func() bool {
		st, err := s.Status(ctx)
		return err == nil && slices.ContainsFunc(st.Devices, func(d Device) bool { return d.Name == name && d.OK == ok })
	})
}

// WaitDelivered waits until headquarters has acknowledged every record.
func (s *Station) WaitDelivered(ctx context.Context) error {
	return s.wait(ctx, "records to be delivered", touchLimit, s.gate, func() bool {
		st, err := s.Status(ctx)
		if err != nil || !st.HQ.Connected {
			return false
		}
		for _, j := range st.Journal {
			if j.Acked < j.Last {
				return false
			}
		}
		return true
	})
}

// SupportBundle has the technician's tool pack what a far-off colleague needs of
// the running gate.
func (s *Station) SupportBundle(ctx context.Context, file string) error {
	_, err := command(ctx, s.o.Program("gatectl"), "support-bundle", "--config", s.o.path("gate.yaml"), "--out", file)
	return err
}
