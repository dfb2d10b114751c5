package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeGatectl says what gatectl says, and writes the label.
const fakeGatectl = `#!/bin/sh
case "$1 $2" in
"face enrol") [ -e "$HQD_TEST_BAD" ] && { echo "look into the light" >&2; exit 1; }; echo '{"model":"m1","reference_base64":"AQID","accepted":true}';;
"pass issue") while [ $# -gt 0 ]; do [ "$1" = --out ] && echo label >"$2"; shift; done; echo '{"bytes":7}';;
*) exit 2;;
esac
`

// office is a running headquarters' control socket that takes accounts.
func office(t *testing.T, dir string, status int, answer string) (socket string, bodies chan string) {
	t.Helper()
	socket, bodies = filepath.Join(dir, "hqd.sock"), make(chan string, 4)
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies <- r.URL.Path + " " + string(b)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close(); <-done })
	return socket, bodies
}

func TestEnrol(t *testing.T) {
	for name, c := range map[string]struct {
		bad    bool // photograph
		code   int
		answer string
		status int
		label  bool
	}{
		"done":               {false, 200, `{"accounts":1,"written":1}`, exitDone, true},
		"photograph refused": {true, 200, ``, exitNegative, false},
		"account refused":    {false, 422, `{"error":"its organisation is suspended","negative":true}`, exitNegative, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := func(file, text string, mode os.FileMode) string {
				p := filepath.Join(dir, file)
				if err := os.WriteFile(p, []byte(text), mode); err != nil {
					t.Fatal(err)
				}
				return p
			}
			tool := path("gatectl", fakeGatectl, 0o700)
			holder := path("holder.yaml", "number: P1\naccount: \"0010\"\norganisation: \"77\"\nname: Somebody\n", 0o600)
			t.Setenv("HQD_TEST_BAD", filepath.Join(dir, "bad"))
			if c.bad {
				path("bad", "", 0o600)
			}
			socket, bodies := office(t, dir, c.code, c.answer)
			label := filepath.Join(dir, "label.png")
			status, out, errs := hqd(t, "enrol", "--holder", holder, "--photo", "p.jpg", "--level", "2", "--out", label,
				"--key", "k", "--cert", "c", "--gatectl", tool, "--control", socket)
			if status != c.status || exists(label) != c.label {
				t.Fatalf("status %d, label %v: %s %s", status, exists(label), out, errs)
			}
			if strings.Contains(out+errs, "0010") || strings.Contains(out+errs, "Somebody") {
				t.Errorf("names the holder: %s %s", out, errs)
			}
			if c.bad {
				if len(bodies) != 0 {
					t.Error("an account without a photograph")
				}
				return
			}
			want := `/accounts [{"id":"0010","kind":"citizen","level":2,"model":"m1","organisation":"77","reference":"AQID"}]`
			if got := <-bodies; got != want {
				t.Errorf("asked %s", got)
			}
			if c.status == exitDone && strings.TrimSpace(out) != `{"model":"m1","template_bytes":3,"pass":{"bytes":7},"written":1}` {
				t.Errorf("printed %s", out)
			}
		})
	}
	for want, args := range map[string][]string{
		"--photo is missing": {"--holder", "h", "--level", "2"},
		"--level is 1 or 2":  {"--holder", "h", "--photo", "p"},
		"--cert is missing":  {"--holder", "h", "--photo", "p", "--level", "1", "--out", "l.png"},
		"no such file":       {"--holder", filepath.Join(t.TempDir(), "none"), "--photo", "p", "--level", "1"},
	} {
		if status, _, errs := hqd(t, append([]string{"enrol"}, args...)...); status != exitUnable || !strings.Contains(errs, want) {
			t.Errorf("%v: status %d, %s", args, status, errs)
		}
	}
}
