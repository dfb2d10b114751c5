package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"bordergate/configs"
)

func modelsCommands() []command {
	return []command{
		{words: "models fetch", summary: "fetch the models of a manifest with npm, hash-checked", run: runModelsFetch},
		{words: "models check", summary: "check the model files against their manifest", run: runModelsCheck},
	}
}

// modelResult is one line of output for one file.
type modelResult struct {
	File    string `json:"file"`
	Use     string `json:"use"`
	SHA256  string `json:"sha256"`
	Bytes   int64  `json:"bytes"`
	OK      bool   `json:"ok"`
	Fetched bool   `json:"fetched"`
	Error   string `json:"error,omitempty"`
}

// modelFlags are the flags of both commands.
type modelFlags struct {
	manifest, dir string
	replace       bool
}

func parseModelFlags(e env, words string, args []string) (f modelFlags, status int, ok bool) {
	set := newFlags(e, words)
	set.StringVar(&f.manifest, "manifest", "configs/models.yaml", "manifest that names the files and their hashes")
	set.StringVar(&f.dir, "dir", "models", "folder of the model files")
	if words == "models fetch" {
		set.BoolVar(&f.replace, "replace", false, "fetch again what is there with another hash")
	}
	rest, status, ok := parseFlags(set, args)
	if ok && len(rest) > 0 {
		return f, unable(e, words, fmt.Errorf("%w: no argument %q", flag.ErrHelp, rest[0])), false
	}
	return f, status, ok
}

// runModelsFetch is quick and needs no network when every file is in place.
func runModelsFetch(ctx context.Context, e env, args []string) int {
	f, status, ok := parseModelFlags(e, "models fetch", args)
	if !ok {
		return status
	}
	manifest, err := configs.LoadModels(f.manifest)
	if err != nil {
		return unable(e, "models fetch", fmt.Errorf("load manifest: %w", err))
	}
	missing, err := missingModels(manifest, f.dir, f.replace)
	if err != nil {
		return unable(e, "models fetch", err)
	}
	if err := fetchModels(ctx, e, manifest, f.dir, missing); err != nil {
		return unable(e, "models fetch", err)
	}
	fetched := map[string]bool{}
	for _, m := range missing {
		fetched[m.File] = true
	}
	good := printModels(e, manifest, f.dir, fetched)
	if good != len(manifest.Models) {
		return exitUnable
	}
	fmt.Fprintf(e.Err, "models: %d files in %s fit %s, %d of them fetched now\n", good, f.dir, f.manifest, len(missing))
	return exitDone
}

func runModelsCheck(_ context.Context, e env, args []string) int {
	f, status, ok := parseModelFlags(e, "models check", args)
	if !ok {
		return status
	}
	manifest, err := configs.LoadModels(f.manifest)
	if err != nil {
		return unable(e, "models check", fmt.Errorf("load manifest: %w", err))
	}
	good := printModels(e, manifest, f.dir, nil)
	if err := strangers(manifest, f.dir); err != nil {
		fmt.Fprintln(e.Err, err)
		return exitNegative
	}
	if good != len(manifest.Models) {
		return exitNegative
	}
	return exitDone
}

// printModels writes a line a file and returns how many are good.
func printModels(e env, manifest *configs.Models, dir string, fetched map[string]bool) (good int) {
	enc := json.NewEncoder(e.Out)
	for _, m := range manifest.Models {
		r := modelResult{File: m.Path(dir), Use: m.Use, SHA256: m.SHA256, Bytes: m.Bytes, OK: true, Fetched: fetched[m.File]}
		if err := m.Check(dir); err != nil {
			r.OK, r.Error = false, err.Error()
			fmt.Fprintln(e.Err, err)
		} else {
			good++
		}
		if err := enc.Encode(r); err != nil {
			fmt.Fprintf(e.Err, "write results: %v\n", err)
			return 0
		}
	}
	return good
}

// missingModels lists what has to be fetched. A file that is there with another
// hash is an error, because somebody put it there: it is replaced only when
// replace says so.
func missingModels(manifest *configs.Models, dir string, replace bool) ([]configs.Model, error) {
	errs := []error{strangers(manifest, dir)}
	var missing []configs.Model
	for _, m := range manifest.Models {
		err := m.Check(dir)
		switch _, fetchable := manifest.SourceOf(m); {
		case err == nil:
		case fetchable && (errors.Is(err, configs.ErrModelMissing) || replace && errors.Is(err, configs.ErrModelHash)):
			missing = append(missing, m)
		case !fetchable && errors.Is(err, configs.ErrModelMissing):
			errs = append(errs, fmt.Errorf("%w (the manifest names no source: copy the file there by hand)", err))
		case fetchable && errors.Is(err, configs.ErrModelHash):
			errs = append(errs, fmt.Errorf("%w (or \"gatectl models fetch --replace\" to have the manifest's file)", err))
		default:
			errs = append(errs, err)
		}
	}
	return missing, errors.Join(errs...)
}

// strangers refuses model files in dir that the manifest does not name.
func strangers(manifest *configs.Models, dir string) error {
	known := map[string]bool{}
	for _, m := range manifest.Models {
		known[m.Path(dir)] = true
	}
	var errs []error
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && path == dir:
			return fs.SkipAll
		case err != nil:
			return err
		case entry.IsDir() || known[path] || !strings.EqualFold(filepath.Ext(path), ".onnx"):
			return nil
		}
		sum, err := hashFile(path)
		if err != nil {
			return err
		}
		errs = append(errs, fmt.Errorf("refuse model %s: its SHA-256 %s is not in the manifest "+
			"(remove the file, or name it in the station's own manifest and give that with --manifest)", path, sum))
		return nil
	})
	if err != nil {
		errs = append(errs, fmt.Errorf("look through models: %w", err))
	}
	return errors.Join(errs...)
}

// isTerminal says whether w is a terminal that a line can be redrawn on.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && terminal(f.Fd())
}
