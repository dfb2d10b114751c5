package replica

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"bordergate/sync/vault"
)

// gateID is the one gate's.
const gateID = "bench-1"

// perFile is how many accounts are enrolled at once.
const perFile = 20_000

// Office is a running headquarters.
type Office struct {
	dir, hqd    string
	fingerprint string
	broker      string
	cmd         *exec.Cmd
	log         *os.File
}

// NewOffice makes headquarters in a folder, which must be empty, with one gate,
// and starts it.
func NewOffice(ctx context.Context, hqd, dir string) (*Office, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a port: %w", err)
	}
	o := &Office{dir: dir, hqd: hqd, broker: "ssl://" + ln.Addr().String()}
	if err := ln.Close(); err != nil {
		return nil, fmt.Errorf("find a port: %w", err)
	}
	conf := fmt.Sprintf("version: 1\nlisten: %q\nstore: %q\nidentity: %q\ncontrol: %q\nsimulated: true\n",
		o.broker, o.path("hq/store"), o.path("hq/identity"), o.path("hqd.sock"))
	if err := errors.Join(os.MkdirAll(o.path("gate"), 0o700), os.MkdirAll(o.path("hq"), 0o700),
		os.WriteFile(o.path("hq.yaml"), []byte(conf), 0o600)); err != nil {
		return nil, fmt.Errorf("make headquarters: %w", err)
	}
	out, err := o.run(ctx, "init", "--dir", o.path("hq/identity"))
	if err != nil {
		return nil, err
	}
	var made struct{ Fingerprint, Bundle string }
	if err := json.Unmarshal(out, &made); err != nil {
		return nil, fmt.Errorf("read hqd init: %w", err)
	}
	o.fingerprint = made.Fingerprint
	bundle, err := os.ReadFile(made.Bundle)
	if err == nil {
		err = os.WriteFile(o.path("hq.json"), bundle, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("copy bundle: %w", err)
	}
	return o, o.introduce(ctx)
}

func (o *Office) path(name string) string { return filepath.Join(o.dir, name) }

// introduce registers the gate and starts headquarters.
func (o *Office) introduce(ctx context.Context) error {
	id, err := vault.NewIdentity(o.path("gate/identity"), gateID)
	if err != nil {
		return fmt.Errorf("make gate's keys: %w", err)
	}
	request, err := id.Request()
	if err == nil {
		err = os.WriteFile(o.path("request.json"), request, 0o600)
	}
	if err != nil {
		return fmt.Errorf("make gate's request: %w", err)
	}
	if _, err := o.run(ctx, "gate", "add", "--config", o.path("hq.yaml"), "--request", o.path("request.json"), "--certificate", o.path("gate.crt")); err != nil {
		return err
	}
	text, err := os.ReadFile(o.path("gate.crt"))
	if err == nil {
		_, err = vault.InstallCertificate(o.path("gate/identity"), text)
	}
	if err != nil {
		return fmt.Errorf("install gate's certificate: %w", err)
	}
	if o.log, err = os.Create(o.path("hqd.log")); err != nil {
		return err
	}
	o.cmd = exec.CommandContext(ctx, o.hqd, "serve", "--config", o.path("hq.yaml"))
	o.cmd.Stderr = o.log
	if err := o.cmd.Start(); err != nil {
		return fmt.Errorf("start headquarters: %w", err)
	}
	return o.await(ctx)
}

// await returns when headquarters answers.
func (o *Office) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		out, err := o.run(ctx, "status", "--config", o.path("hq.yaml"))
		var s struct{ Online bool }
		if err == nil && json.Unmarshal(out, &s) == nil && s.Online {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for headquarters (see %s): %w", o.path("hqd.log"), errors.Join(ctx.Err(), err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// run gives a command to hqd.
func (o *Office) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, o.hqd, args...)
	var fault bytes.Buffer
	cmd.Stderr = &fault
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run hqd %s: %w: %s", args[0], err, bytes.TrimSpace(fault.Bytes()))
	}
	return out, nil
}

// Enrol enrols accounts from to to-1.
func (o *Office) Enrol(ctx context.Context, from, to int) error {
	file := o.path("accounts.json")
	defer os.Remove(file) //nolint:errcheck // the folder goes too
	for ; from < to; from += perFile {
		if err := write(file, from, min(from+perFile, to)); err != nil {
			return fmt.Errorf("write accounts: %w", err)
		}
		if _, err := o.run(ctx, "account", "put", "--config", o.path("hq.yaml"), "--file", file); err != nil {
			return err
		}
	}
	return nil
}

// Made is the snapshot that headquarters has made.
type Made struct {
	Items  int   `json:"items"`
	Pieces int   `json:"pieces"`
	Bytes  int64 `json:"bytes"`
}

// Snapshot has headquarters make a snapshot.
func (o *Office) Snapshot(ctx context.Context) (m Made, err error) {
	out, err := o.run(ctx, "snapshot", "--config", o.path("hq.yaml"))
	if err == nil {
		err = json.Unmarshal(out, &m)
	}
	return m, err
}

// Suspend has headquarters suspend an account and says when the command began.
func (o *Office) Suspend(ctx context.Context, account string) (time.Time, error) {
	at := time.Now()
	_, err := o.run(ctx, "decide", "suspend", "--config", o.path("hq.yaml"), "--account", account,
		"--by", "N. N.", "--role", "station_commander", "--ground", "security_risk")
	return at, err
}

// Close ends headquarters.
func (o *Office) Close() error {
	if o.cmd == nil || o.cmd.Process == nil {
		return nil
	}
	_ = o.cmd.Process.Signal(os.Interrupt) // it may have ended
	kill := time.AfterFunc(10*time.Second, func() { _ = o.cmd.Process.Kill() })
	defer kill.Stop()
	_ = o.cmd.Wait() // however it ended
	return o.log.Close()
}

// Setup is what the gate's process has to know.
func (o *Office) Setup() Setup {
	return Setup{Dir: o.dir, Broker: o.broker, Fingerprint: o.fingerprint}
}
