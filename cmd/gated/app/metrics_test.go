package app

import (
	"bufio"
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"bordergate/gate"
	"bordergate/gate/reason"
)

// scrape asks the status listener's handler as Prometheus does.
func scrape(t *testing.T, a *App, accept string) string {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/metrics", http.NoBody)
	r.Header.Set("Accept", accept)
	a.server.http.Handler.ServeHTTP(w, r)
	want := textType
	if strings.Contains(accept, "openmetrics") {
		want = openMetricsType
	}
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != want {
		t.Fatalf("%d %s", w.Code, w.Header())
	}
	return w.Body.String()
}

const acceptOpen = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"

// measuredGate is a gate with everything that has a metric, and a few
// travellers.
func measuredGate(t *testing.T) *App {
	t.Helper()
	logs := NewLogs(new(bytes.Buffer))
	a := New(goodStation(t), logs.Logger())
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	if len(a.Faults()) > 0 {
		t.Fatal(a.Faults())
	}
	for _, v := range []gate.View{
		{Finished: true, Outcome: reason.Admitted, Granted: true, Steps: map[string]int64{gate.StepVerdict: 900_000, gate.StepJournaled: 905_000}},
		{Finished: true, Outcome: reason.Referred, Reasons: []reason.Reason{reason.Watchlist, reason.CacheStale}, Steps: map[string]int64{gate.StepVerdict: 90_000_000}},
	} {
		a.hub.Show(v)
	}
	a.reloaded.Store(&ReloadStatus{OK: true})
	return a
}

// TestMetricsOfTwoTravellers reads figures that a person can check.
func TestMetricsOfTwoTravellers(t *testing.T) {
	text := scrape(t, measuredGate(t), acceptOpen)
	for _, want := range []string{
		"# TYPE bordergate_transactions counter\n", `bordergate_transactions_total{outcome="admitted"} 1` + "\n", `bordergate_transactions_total{outcome="failed"} 0`,
		`bordergate_transaction_reasons_total{reason="cache_stale"} 1`, `bordergate_transaction_reasons_total{reason="hidden"} 1`,
		"bordergate_grants_total 1\n", `bordergate_step_seconds_bucket{step="verdict",le="0.75"} 0`, `bordergate_step_seconds_bucket{step="verdict",le="1.0"} 1`,
		`bordergate_step_seconds_bucket{step="verdict",le="60.0"} 1`, `bordergate_step_seconds_bucket{step="verdict",le="+Inf"} 2`,
		`bordergate_step_seconds_sum{step="verdict"} 90.9`, `bordergate_step_seconds_count{step="verdict"} 2`,
		`bordergate_device_up{device="turnstile"} 0`, `bordergate_journal_queue{stream="crossing"} 0`, "bordergate_simulated 1\n",
		"bordergate_accounts_max_age_seconds 259200\n", "bordergate_faults 0\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(text, "watchlist") || strings.Contains(text, "random_check") {
		t.Error("a reason is told that must look like any other")
	}
	if !strings.HasSuffix(text, "\n# EOF\n") || strings.Contains(text, "\n\n") {
		t.Error("not the form of OpenMetrics")
	}
	if t.Failed() {
		t.Log(text)
	}
}

// family is what a scrape says of one.
type family struct{ kind, help string }

// families parses OpenMetrics strictly: a family's lines stand together, each
// sample is of the family before it, and no sample comes twice.
func families(t *testing.T, text string) (map[string]family, int) {
	t.Helper()
	out, seen := map[string]family{}, map[string]bool{}
	sample := regexp.MustCompile(`^(bordergate_[a-z_]+)((?:\{[a-z]+="[^"\\\n]*"(?:,[a-z]+="[^"\\\n]*")*\})?) (-?[0-9.e+-]+|NaN|\+Inf)$`)
	suffixes := map[string][]string{"gauge": {""}, "counter": {"_total"}, "info": {"_info"}, "histogram": {"_bucket", "_sum", "_count"}}
	name, n := "", 0
	sc := bufio.NewScanner(strings.NewReader(text))
	for sc.Scan() {
		line := sc.Text()
		if help, ok := strings.CutPrefix(line, "# HELP "); ok {
			name, help, _ = strings.Cut(help, " ")
			if _, again := out[name]; again || !strings.HasSuffix(help, ".") {
				t.Errorf("family %s comes again, or says nothing: %q", name, help)
			}
			out[name] = family{help: help}
			continue
		}
		if kind, ok := strings.CutPrefix(line, "# TYPE "+name+" "); ok {
			out[name] = family{kind, out[name].help}
			continue
		}
		if line == "# EOF" {
			continue
		}
		n++
		m := sample.FindStringSubmatch(line)
		if m == nil || !slices.ContainsFunc(suffixes[out[name].kind], func(s string) bool { return m[1] == name+s }) || seen[m[1]+m[2]] {
			t.Errorf("line %q after family %s", line, name)
			continue
		}
		seen[m[1]+m[2]] = true
	}
	return out, n
}

// TestMetricsAreCleanAndBounded: the labels' values are words of the code, so
// the number of series does not grow with travellers.
func TestMetricsAreCleanAndBounded(t *testing.T) {
	a := measuredGate(t)
	all, before := families(t, scrape(t, a, acceptOpen))
	if len(all) < 30 {
		t.Errorf("%d families", len(all))
	}
	for i := range 1000 {
		a.hub.Show(gate.View{Finished: true, Tx: gate.TxID{byte(i), byte(i >> 8)}, Outcome: reason.Outcomes()[i%7], Reasons: reason.Reasons(), Steps: map[string]int64{
			gate.StepReady: int64(i) * 1000, "invented": 1,
		}})
	}
	_, after := families(t, scrape(t, a, acceptOpen))
	if before != after {
		t.Errorf("%d series became %d", before, after)
	}
}

// alertRules is what of the rules' file is looked at.
type alertRules struct {
	Groups []struct {
		Rules []struct {
			Alert       string            `yaml:"alert"`
			Expr        string            `yaml:"expr"`
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

const alertsFile = "../../../configs/alerts.yaml"

// TestAlertsMatchTheMetrics: an alert over a metric that is not there never
// comes.
func TestAlertsMatchTheMetrics(t *testing.T) {
	b, err := os.ReadFile(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	var rules alertRules
	if err := yaml.Unmarshal(b, &rules); err != nil {
		t.Fatal(err)
	}
	known := conditional()
	all, _ := families(t, scrape(t, measuredGate(t), acceptOpen))
	for name, f := range all {
		known[name+map[string]string{"counter": "_total", "info": "_info", "histogram": "_bucket"}[f.kind]] = true
	}
	n, names := 0, regexp.MustCompile(`bordergate_[a-z_]+`)
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			n++
			for _, name := range names.FindAllString(r.Expr, -1) {
				if !known[name] {
					t.Errorf("%s: no metric %s", r.Alert, name)
				}
			}
			if len(r.Annotations["cure"]) < 20 || r.Annotations["summary"] == "" || r.Labels["severity"] == "" {
				t.Errorf("%s has no cure, summary or severity", r.Alert)
			}
		}
	}
	if n < 15 {
		t.Errorf("%d alerts", n)
	}
}

// conditional are the metrics that a gate which was never synchronised and has
// no certificate does not have.
func conditional() map[string]bool {
	return map[string]bool{
		"bordergate_accounts_age_seconds": true, "bordergate_certificate_end_time_seconds": true,
		"bordergate_device_silence_seconds": true, "bordergate_worker_starts_total": true,
	}
}

// TestConditionalMetricsAreInTheCode holds the list above to what is written.
func TestConditionalMetricsAreInTheCode(t *testing.T) {
	b, err := os.ReadFile("metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	for name := range conditional() {
		if !bytes.Contains(b, []byte(`"`+strings.TrimSuffix(name, "_total")+`"`)) {
			t.Errorf("%s is not in metrics.go", name)
		}
	}
}

// TestPromtoolFindsNothing lets Prometheus' own tool judge metrics and rules.
func TestPromtoolFindsNothing(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		if tool, err = filepath.Abs("../../../bin/.test/promtool"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(tool); err != nil {
		t.Skip("promtool is not here: make setup-test fetches it from Debian's prometheus package")
	}
	check := func(in string, args ...string) {
		cmd := exec.Command(tool, args...)
		cmd.Stdin = strings.NewReader(in)
		if out, err := cmd.CombinedOutput(); err != nil || bytes.Contains(out, []byte("error")) {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
	check(scrape(t, measuredGate(t), "text/plain"), "check", "metrics")
	check("", "check", "rules", "--lint-fatal", alertsFile)
}

// readOpenMetrics counts the samples with the strict parser of Prometheus' own
// Python client.
const readOpenMetrics = `
import sys
try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as families
except ImportError:
    sys.exit(9)
print(sum(len(f.samples) for f in families(sys.stdin.read())))
`

func TestAnotherParserReadsTheOpenMetrics(t *testing.T) {
	text := scrape(t, measuredGate(t), acceptOpen)
	cmd := exec.Command("/usr/bin/python3", "-c", readOpenMetrics)
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() == 9 {
		t.Skip("python3-prometheus-client is not here (make setup-test)")
	}
	_, n := families(t, text)
	if err != nil || strings.TrimSpace(string(out)) != strconv.Itoa(n) {
		t.Errorf("%v: %s, want %d samples", err, out, n)
	}
}
