package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"bordergate/cmd/gatectl/support"
	"bordergate/configs"
	"bordergate/sync/journal"
	"bordergate/sync/wire"
)

// bundled is how many of the newest records' public parts are packed of each
// stream.
const bundled = 200

// runSupportBundle packs what can be had: a gate that is broken is what it is
// for, so a source that fails is noted in the bundle and no more.
func runSupportBundle(ctx context.Context, e env, args []string) int {
	const words = "support-bundle"
	fs := newFlags(e, words)
	config := fs.String("config", "", "the gate's configuration file")
	out := fs.String("out", "", "file to write, such as gate.tar.gz")
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if *config == "" || *out == "" || len(rest) > 0 {
		return unable(e, words, errors.New("gatectl support-bundle --config FILE --out FILE.tar.gz"))
	}
	b := &bundle{config: *config}
	b.collect(ctx)
	if err := support.Write(*out, time.Now().UTC(), b.packed()); err != nil {
		return unable(e, words, err)
	}
	for _, f := range b.files {
		fmt.Fprintf(e.Err, "%8d  %s\n", len(f.Data), f.Name)
	}
	for _, m := range b.missing {
		fmt.Fprintf(e.Err, "   none  %s\n", m)
	}
	fmt.Fprintf(e.Err, "%s holds no names, numbers, pictures or keys; look into it before you send it\n", *out)
	return exitDone
}

// bundle gathers the files.
type bundle struct {
	config  string
	files   []support.File
	missing []string
}

func (b *bundle) add(name string, data []byte) {
	b.files = append(b.files, support.File{Name: name, Data: data})
}

// note says why something is not there.
func (b *bundle) note(name string, err error) {
	b.missing = append(b.missing, name+": "+support.Text(err.Error()))
}

// json adds a document of whatever source, scrubbed.
func (b *bundle) json(name string, doc any, err error) {
	var raw []byte
	if err == nil {
		raw, err = json.Marshal(doc)
	}
	if err == nil {
		raw, err = support.JSON(raw)
	}
	if err != nil {
		b.note(name, err)
		return
	}
	b.add(name, raw)
}

// packed are the files, the list of what is missing first.
func (b *bundle) packed() []support.File {
	var text strings.Builder
	text.WriteString("Made by gatectl support-bundle. Names, numbers, pictures and keys are left out;\n" +
		"what looks like one is replaced by […].\n")
	for _, m := range b.missing {
		text.WriteString("missing: " + m + "\n")
	}
	return append([]support.File{{Name: "README.txt", Data: []byte(text.String())}}, b.files...)
}

func (b *bundle) collect(ctx context.Context) {
	b.json("versions.json", machine(), nil)
	cfg, faults := configs.LoadGate(b.config)
	if err := faults.Err(); err != nil {
		b.note("config.txt", err)
		b.json("faults.json", faults, nil)
		return
	}
	b.add("config.txt", configText(cfg))
	checks, err := examine(ctx, b.config)
	b.json("doctor.json", checks, err)
	b.json("hashes.json", hashes(b.config, cfg), nil)
	c := newControlClient(cfg.Paths.Control)
	if !c.alive(ctx) {
		b.note("status.json", errors.New("gated does not run"))
		b.journalOf(ctx, cfg)
		return
	}
	for name, path := range map[string]string{
		"status.json": "/v1/status", "diagnostics.json": "/v1/diagnostics", "settings.json": "/v1/config", "devices.json": "/v1/devices",
		"accounts.json": "/v1/accounts/stats", "log-levels.json": "/v1/log/level",
	} {
		doc, err := c.get(ctx, path)
		b.json(name, doc, err)
	}
	b.logOf(ctx, c)
	b.metricsOf(ctx, c)
	b.records(func(w io.Writer) error { return c.lines(ctx, "/v1/journal/export", w) })
}

func (b *bundle) logOf(ctx context.Context, c *controlClient) {
	doc, err := c.get(ctx, "/v1/log")
	var lines []string
	if err == nil {
		err = json.Unmarshal(doc, &lines)
	}
	if err != nil {
		b.note("log.txt", err)
		return
	}
	var out strings.Builder
	for _, l := range lines {
		out.WriteString(support.LogLine(l) + "\n")
	}
	b.add("log.txt", []byte(out.String()))
}

func (b *bundle) metricsOf(ctx context.Context, c *controlClient) {
	resp, err := c.do(ctx, "GET", "/v1/metrics")
	if err != nil {
		b.note("metrics.txt", err)
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		b.note("metrics.txt", err)
		return
	}
	var out strings.Builder
	for l := range strings.Lines(string(text)) {
		if strings.HasPrefix(l, "bordergate_") || strings.HasPrefix(l, "#") { // and nothing else
			out.WriteString(metricLine(l))
		}
	}
	b.add("metrics.txt", []byte(out.String()))
}

// metricLine keeps the labels' quotes, which scrubbing takes for quotations.
func metricLine(l string) string {
	parts := strings.Split(l, `"`)
	for i := 1; i < len(parts); i += 2 {
		parts[i] = support.Text(parts[i])
	}
	return strings.Join(parts, `"`)
}

// journalOf reads the file of a gate that does not run.
func (b *bundle) journalOf(ctx context.Context, cfg *configs.Gate) {
	r, err := journal.OpenReadOnly(filepath.Join(cfg.Paths.State, journalFile))
	if err != nil {
		b.note("journal.json", err)
		return
	}
	defer r.Close()
	b.records(func(w io.Writer) error {
		enc := json.NewEncoder(w)
		for _, s := range wire.Streams() {
			raws, err := r.Tail(s, bundled)
			if err != nil {
				return err
			}
			for _, raw := range raws {
				l, err := journal.NewLine(raw, nil)
				if err != nil {
					return err
				}
				if err := enc.Encode(l); err != nil {
					return err
				}
			}
		}
		return ctx.Err()
	})
}

// records packs the newest records' public parts, and how many there are.
func (b *bundle) records(export func(io.Writer) error) {
	keep := &newest{last: map[string][]json.RawMessage{}, Counts: map[string]map[string]int{}}
	err := export(keep)
	if err != nil {
		b.note("journal.json (its end)", err)
	}
	var all []json.RawMessage
	for _, s := range wire.Streams() {
		all = append(all, keep.last[s.String()]...)
	}
	b.json("journal.json", map[string]any{"records": keep.Counts, "newest": all}, nil)
}

// newest takes lines of an export and keeps the last of each stream, without
// anything personal.
type newest struct {
	part   []byte
	last   map[string][]json.RawMessage
	Counts map[string]map[string]int
}

// Write implements io.Writer.
func (n *newest) Write(p []byte) (int, error) {
	n.part = append(n.part, p...)
	for {
		i := bytes.IndexByte(n.part, '\n')
		if i < 0 {
			return len(p), nil
		}
		if err := n.line(n.part[:i]); err != nil {
			return 0, err
		}
		n.part = n.part[i+1:]
	}
}

func (n *newest) line(text []byte) error {
	var l journal.Line
	if err := json.Unmarshal(text, &l); err != nil {
		return fmt.Errorf("read record: %w", err)
	}
	if n.Counts[l.Stream] == nil {
		n.Counts[l.Stream] = map[string]int{}
	}
	n.Counts[l.Stream][l.Kind]++
	short, err := json.Marshal(struct {
		Stream string          `json:"stream"`
		Seq    uint64          `json:"seq"`
		Wall   time.Time       `json:"wall"`
		Trust  uint8           `json:"trust"`
		Tx     string          `json:"tx,omitempty"`
		Kind   string          `json:"kind"`
		Public json.RawMessage `json:"public,omitempty"`
	}{l.Stream, l.Seq, l.Wall, l.Trust, l.Tx, l.Kind, l.Public})
	if err != nil {
		return fmt.Errorf("keep record: %w", err)
	}
	list := append(n.last[l.Stream], short)
	n.last[l.Stream] = list[max(len(list)-bundled, 0):]
	return nil
}

// configText is the configuration as checked values: comments stay behind.
func configText(cfg *configs.Gate) []byte {
	var out strings.Builder
	for _, v := range configs.GateValues(cfg) {
		text := configs.Show(v.Value)
		if v.Path != "hq.fingerprint" { // which is public, and hex
			text = support.Text(text)
		}
		fmt.Fprintf(&out, "%s: %s\n", v.Path, text)
	}
	return []byte(out.String())
}

// machine is what the programs run on.
func machine() map[string]string {
	out := map[string]string{"gatectl": version(), "go": runtime.Version(), "processors": fmt.Sprint(runtime.NumCPU())}
	for name, path := range map[string]string{"kernel": "/proc/sys/kernel/osrelease", "memory": "/proc/meminfo", "load": "/proc/loadavg", "system": "/etc/debian_version"} {
		if b, err := os.ReadFile(path); err == nil {
			line, _, _ := strings.Cut(string(b), "\n")
			out[name] = line
		}
	}
	return out
}

// hashes are those of the programs and of public files, to see which they are.
func hashes(config string, cfg *configs.Gate) map[string]map[string]string {
	out := map[string]map[string]string{}
	list := map[string]string{"config": config, "hq.json": cfg.HQ.Bundle, "models.manifest": cfg.Models.Manifest}
	if self, err := os.Executable(); err == nil {
		for _, name := range []string{"gated", "gatectl", "gatevision"} {
			list[name] = filepath.Join(filepath.Dir(self), name)
		}
	}
	if m, err := configs.LoadModels(cfg.Models.Manifest); err == nil {
		for _, f := range m.Models {
			list["model "+f.Name] = f.Path(cfg.Models.Dir)
		}
	}
	for name, path := range list {
		if sum, err := hashFile(path); err == nil {
			out[name] = map[string]string{"sha256": sum}
		}
	}
	return out
}
