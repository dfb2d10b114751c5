package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func hqd(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	status = dispatch(context.Background(), env{&o, &e}, args)
	return status, o.String(), e.String()
}

func TestInitPrintsTheFingerprintOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "id")
	status, out, _ := hqd(t, "init", "--dir", dir)
	var got struct{ Fingerprint, Bundle string }
	if err := json.Unmarshal([]byte(out), &got); err != nil || status != exitDone || len(got.Fingerprint) != 64+15 {
		t.Fatalf("status %d, %q, %v", status, out, err)
	}
	if _, err := os.Stat(got.Bundle); err != nil {
		t.Fatal(err)
	}
	if status, _, errs := hqd(t, "init", "--dir", dir); status != exitUnable || !strings.Contains(errs, "has keys already") {
		t.Fatalf("a second time: status %d, %q", status, errs)
	}
}

func TestCommandsThatCannotBeCarriedOut(t *testing.T) {
	dir := t.TempDir()
	socket := []string{"--control", filepath.Join(dir, "no.sock"), "--identity", dir}
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"nothing":        {nil, "usage"},
		"unknown":        {[]string{"fly"}, "usage"},
		"no directory":   {[]string{"init"}, "--dir is missing"},
		"no process":     {append([]string{"status"}, socket...), "hqd is not running here"},
		"no action":      {append([]string{"decide", "--account", "a"}, socket...), "want one of"},
		"missing flags":  {append([]string{"decide", "suspend"}, socket...), "--ground is missing"},
		"no ground":      {append([]string{"pass", "revoke", "--number", "P1"}, socket...), "--ground is missing"},
		"both":           {append([]string{"decide", "suspend", "--account", "a", "--organisation", "o", "--by", "N", "--role", "station_commander", "--ground", "security_risk"}, socket...), "not both"},
		"nobody watched": {append([]string{"watch", "add", "--by", "N. N."}, socket...), "--account, --pass or --name"},
		"watch and file": {append([]string{"watch", "add", "--pass", "P1", "--file", "f"}, socket...), "not both"},
		"no order":       {append([]string{"watch", "remove", "--pass", "P1"}, socket...), "--by is missing"},
		"no command":     {append([]string{"command", "--gate", "lane-1", "--by", "N. N."}, socket...), "want one of"},
		"no gate":        {append([]string{"command", "clock", "--by", "N. N."}, socket...), "--gate is missing"},
		"no pass":        {append([]string{"stamp", "--by", "N. N."}, socket...), "--pass is missing"},
		"two stamps":     {append([]string{"stamp", "--pass", "P1", "--file", "f"}, socket...), "not both"},
		"stamp's time":   {append([]string{"stamp", "--pass", "P1", "--by", "N. N.", "--at", "noon"}, socket...), "--at"},
		"no publisher":   {append([]string{"trust", "publish"}, socket...), "--by is missing"},
		"no file":        {append([]string{"trust", "add", "--by", "N. N."}, socket...), "name the files"},
		"no such file":   {append([]string{"trust", "add", "--by", "N. N.", filepath.Join(dir, "none.pem")}, socket...), "none.pem"},
		"nameless":       {append([]string{"broker", "certify", "--out", dir}, socket...), "--name is missing"},
		"no authority":   {append([]string{"broker", "certify", "--name", "h", "--out", dir}, socket...), "identity"},
		"no such folder": {append([]string{"trust", "publish", "--by", "N. N.", "--dir", filepath.Join(dir, "none")}, socket...), "none"},
		"one too many":   {append([]string{"trust", "publish", "--by", "N. N.", "x"}, socket...), "one argument too many"},
		"no fingerprint": {append([]string{"trust", "remove", "--by", "N. N."}, socket...), "SHA-256"},
		"no request":     {append([]string{"gate", "add"}, socket...), "--request is missing"},
		"no such config": {[]string{"serve", "--config", filepath.Join(dir, "none.yaml")}, "none.yaml"},
		"no identity": {[]string{
			"serve", "--identity", filepath.Join(dir, "id"), "--store", filepath.Join(dir, "s"),
			"--control", filepath.Join(dir, "c"), "--listen", "127.0.0.1:0",
		}, "hqd init"},
	} {
		if status, _, errs := hqd(t, tc.args...); status != exitUnable || !strings.Contains(errs, tc.want) {
			t.Errorf("%s: status %d, %q", name, status, errs)
		}
	}
}
