package main

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bordergate/sync/accounts"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// stoppedGate is a gate's files with one account and three records, and its
// configuration.
func stoppedGate(t *testing.T) (config string) {
	t.Helper()
	dir := t.TempDir()
	if got := gatectl(t, "identity", "init", "--dir", dir+"/identity", "--gate", "lane-1"); got.status != exitDone {
		t.Fatal(got.err)
	}
	id, err := vault.LoadIdentity(dir + "/identity")
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(filepath.Join(dir, keysDir), id.Master)
	if err != nil {
		t.Fatal(err)
	}
	fillJournal(t, dir, v, id.Signer)
	fillAccounts(t, dir, v)
	text, err := os.ReadFile("../../configs/gate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(
		"state: /var/lib/bordergate ", "state: "+dir+" ", "identity: /var/lib/bordergate/identity", "identity: "+dir+"/identity",
		"/run/bordergate/gated.sock", dir+"/sock", "0000 0000 0000", "1234 5678 9abc",
	).Replace(string(text))
	config = dir + "/gate.yaml"
	if err := os.WriteFile(config, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}

func fillJournal(t *testing.T, dir string, v *vault.Vault, key wire.Signer) {
	t.Helper()
	j, err := journal.Open(journal.Options{Path: filepath.Join(dir, journalFile), Gate: "lane-1", Vault: v, Signer: key})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for range 3 {
		_, err := j.Append(t.Context(), journal.Draft{
			Stream: wire.StreamCrossing, Kind: "decision", Public: map[string]string{"outcome": "admitted"},
			Personal: []byte(`{"account":"VN-1"}`), Class: vault.ClassCrossing,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func fillAccounts(t *testing.T, dir string, v *vault.Vault) {
	t.Helper()
	r, err := accounts.Open(accounts.Options{Path: filepath.Join(dir, accountsFile), Key: v.Key(accountsKey)})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := wire.Change{Op: wire.OpPut, Account: "VN-1", Ver: 1, Status: wire.StatusActive, Level: 2, Kind: wire.KindCitizen}
	if err := r.Apply(5, 1, wire.Hash{}, wire.Hash{1}, []wire.Change{c}); err != nil {
		t.Fatal(err)
	}
}

func TestStateOfAStoppedGate(t *testing.T) {
	config := stoppedGate(t)
	copied := filepath.Join(t.TempDir(), "copy.db")
	b, err := os.ReadFile(filepath.Join(filepath.Dir(config), journalFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, b, 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		args   string
		status int
		has    string
		hasNot string
	}{
		"account":         {"account show VN-1 --json --config " + config, exitDone, `{"status":"active","level":2,`, "VN-1"},
		"unknown account": {"account show VN-2 --config " + config, exitNegative, "", "VN-2"},
		"stats":           {"account stats --json --config " + config, exitDone, `"accounts":1,"active":1`, "VN-1"},
		"verify":          {"journal verify --json --config " + config, exitDone, `{"ok":true,"gate":"lane-1"`, "VN-1"},
		"export":          {"journal export --config " + config, exitDone, `"personal_state":"sealed"`, "VN-1"},
		"export opened":   {"journal export --open --config " + config, exitDone, `"personal":{"account":"VN-1"}`, "sealed"},
		"verify a copy":   {"journal verify --path " + copied, exitDone, `"ok": true`, "VN-1"},
		"export a copy":   {"journal export --path " + copied, exitDone, `"outcome":"admitted"`, "VN-1"},
		"open a copy":     {"journal export --open --path " + copied + " --config " + config, exitDone, `"VN-1"`, "sealed"},
		"open, no keys":   {"journal export --open --path " + copied, exitUnable, "", "VN-1"},
		"nothing named":   {"journal verify", exitUnable, "", "{"},
		"no such file":    {"journal verify --path " + copied + "x", exitUnable, "", "{"},
		"no account":      {"account show --config " + config, exitUnable, "", "{"},
		"no config":       {"account stats --config nowhere.yaml", exitUnable, "", "{"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := gatectl(t, strings.Fields(c.args)...)
			if got.status != c.status || !strings.Contains(got.out, c.has) || strings.Contains(got.out, c.hasNot) {
				t.Errorf("status %d, out %s\nerr %s", got.status, got.out, got.err)
			}
			if strings.Contains(got.err, "VN-") {
				t.Errorf("an account is named on standard error: %s", got.err)
			}
			if c.status != exitDone && got.err == "" {
				t.Error("nobody is told why")
			}
		})
	}
}

// TestVerifyACopyByTheGatesKey: a copy that somebody has written and signed
// himself is in order but for the signature.
func TestVerifyACopyByTheGatesKey(t *testing.T) {
	ours, others := filepath.Dir(stoppedGate(t)), filepath.Dir(stoppedGate(t))
	for name, c := range map[string]struct {
		args   string
		status int
		has    string
		told   string
	}{
		"the gate's":           {"--request " + ours + "/identity/request.json", exitDone, `"state":"signed"`, ""},
		"somebody else's":      {"--request " + others + "/identity/request.json", exitNegative, `"problem":"journal file is damaged: the mark`, ""},
		"nobody named the key": {"", exitDone, `"state":"unverified"`, "--request"},
		"no request":           {"--request " + ours + "/gate.yaml", exitUnable, "", "request"},
	} {
		t.Run(name, func(t *testing.T) {
			got := gatectl(t, strings.Fields("journal verify --json --path "+ours+"/"+journalFile+" "+c.args)...)
			if got.status != c.status || !strings.Contains(got.out, c.has) || !strings.Contains(got.err, c.told) {
				t.Errorf("status %d, out %s\nerr %s", got.status, got.out, got.err)
			}
		})
	}
}

func TestVerifyDamagedCopy(t *testing.T) {
	config := stoppedGate(t)
	path := filepath.Join(filepath.Dir(config), journalFile)
	if err := os.Truncate(path, 9000); err != nil {
		t.Fatal(err)
	}
	got := gatectl(t, "journal", "verify", "--json", "--config", config)
	if got.status != exitNegative || !strings.HasPrefix(got.out, `{"error":"open journal: journal file is damaged`) {
		t.Errorf("status %d, out %s", got.status, got.out)
	}
}

// runningGate answers on the control socket of config as gated does.
func runningGate(t *testing.T, config string, answers map[string]string) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(filepath.Dir(config), "sock"))
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := answers[r.Method+" "+r.URL.RequestURI()]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			a = `{"error":"no such thing"}`
		}
		if strings.HasPrefix(a, "503 ") {
			w.WriteHeader(http.StatusServiceUnavailable)
			a = a[4:]
		}
		_, _ = w.Write([]byte(a))
	})}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
}

func TestStateOfARunningGate(t *testing.T) {
	config := stoppedGate(t)
	runningGate(t, config, map[string]string{
		"GET /v1/accounts/VN%2F1":          `{"status":"suspended"}`,
		"GET /v1/accounts/stats":           `503 {"error":"the accounts are not open"}`,
		"GET /v1/journal/export":           "{\"seq\":1}\n{\"seq\":2}\n",
		"GET /v1/journal/export?open=true": "{\"seq\":1}\n{\"error\":\"read: bad\"}\n",
		"POST /v1/journal/verify":          `{"ok":false,"streams":[]}`,
	})
	cases := map[string]struct {
		args   string
		status int
		out    string
		err    string
	}{
		"account":         {"account show VN/1 --json", exitDone, "{\"status\":\"suspended\"}\n", ""},
		"unknown account": {"account show X --json", exitNegative, "", "does not know"},
		"stats":           {"account stats --json", exitUnable, "", "gated: the accounts are not open"},
		"export":          {"journal export", exitDone, "{\"seq\":1}\n{\"seq\":2}\n", ""},
		"export breaks":   {"journal export --open", exitUnable, "{\"seq\":1}\n", "gated: read: bad"},
		"verify":          {"journal verify --json", exitNegative, "{\"ok\":false,\"streams\":[]}\n", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := gatectl(t, strings.Fields(c.args+" --config "+config)...)
			if got.status != c.status || got.out != c.out || !strings.Contains(got.err, c.err) {
				t.Errorf("status %d, out %q, err %q", got.status, got.out, got.err)
			}
		})
	}
}

func TestIdentityInit(t *testing.T) {
	dir := t.TempDir() + "/id"
	got := gatectl(t, "identity", "init", "--dir", dir, "--gate", "lane-1", "--json")
	var res identityResult
	if err := json.Unmarshal([]byte(got.out), &res); got.status != exitDone || err != nil {
		t.Fatalf("status %d, %v: %s", got.status, err, got.err)
	}
	b, err := os.ReadFile(res.Request)
	if err != nil {
		t.Fatal(err)
	}
	r, err := vault.ParseRequest(b)
	if err != nil || r.Fingerprint != res.Fingerprint || r.Kid != res.Kid || !strings.Contains(got.err, r.Fingerprint) {
		t.Errorf("request %+v, %v; told %s", r, err, got.err)
	}
	for name, args := range map[string][]string{
		"again":    {"--dir", dir, "--gate", "lane-1"},
		"bad gate": {"--dir", dir + "2", "--gate", "Lane 1"},
		"no gate":  {"--dir", dir + "2"},
		"no dir":   {"--gate", "lane-1"},
	} {
		if got := gatectl(t, append([]string{"identity", "init"}, args...)...); got.status != exitUnable || got.out != "" {
			t.Errorf("%s: status %d, out %q", name, got.status, got.out)
		}
	}
}
