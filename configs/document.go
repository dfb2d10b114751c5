package configs

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"

	"go.yaml.in/yaml/v3"
)

// What a path may lead to beside a file.
var (
	errFolder = errors.New("it is a folder")
	errNoFile = errors.New("it is a device, a pipe or a socket")
)

// maxFile is the most a file may hold, in bytes; maxFaults the most that are
// listed, so that a file of another kind does not fill a screen.
const (
	maxFile   = 256 << 10
	maxFaults = 100
	maxShown  = 120 // longest value shown in a fault, in bytes
)

// place is where a key path stands in the file and what is written there.
type place struct {
	line, column int
	value        string
}

// document is one file while it is being read: where its keys are, and what is
// wrong with it so far.
type document struct {
	file   string
	places map[string]place
	faults Faults
	// limits are what the rules say of each key; nil but where they are asked for.
	limits map[string]Limits
}

// load reads path strictly over the given defaults and checks the result.
func load[T any](path string, defaults T, check func(*T, *document)) (*T, Faults) {
	return loadWith(path, defaults, check, func(*document) {})
}

// loadWith is load that hands out the file as it was read, faults or not.
func loadWith[T any](path string, defaults T, check func(*T, *document), read func(*document)) (*T, Faults) {
	text, err := readBounded(path)
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, Faults{{
			File: path, Message: "cannot be read: " + err.Error(),
			Hint: "give the path of a readable file", cause: err,
		}}
	}
	return parseWith(path, text, defaults, check, read)
}

// parse is load for text that is already in hand; file is only named.
func parse[T any](file string, text []byte, defaults T, check func(*T, *document)) (*T, Faults) {
	return parseWith(file, text, defaults, check, func(*document) {})
}

func parseWith[T any](file string, text []byte, defaults T, check func(*T, *document), read func(*document)) (*T, Faults) {
	d := &document{file: file, places: map[string]place{}}
	defer func() { read(d) }()
	root := d.root(text)
	if root != nil {
		config := defaults
		d.decode(root, &config)
		check(&config, d)
		if len(d.faults) == 0 {
			return &config, nil
		}
	}
	return nil, d.sorted()
}

// readBounded reads a whole file of at most maxFile bytes.
func readBounded(path string) ([]byte, error) {
	// A pipe that nobody writes to must not hold the reader up.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	switch info, err := f.Stat(); {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errFolder
	case !info.Mode().IsRegular():
		return nil, errNoFile
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("it is longer than %d KiB", maxFile>>10)
	}
	return text, nil
}

// root parses the text into its one mapping; nil after a fault.
func (d *document) root(text []byte) *yaml.Node {
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		d.add(Fault{Line: 1, Message: "is empty", Hint: "begin with \"version: 1\""})
		return nil
	case err != nil:
		d.syntax(err)
		return nil
	}
	var more yaml.Node
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		if err != nil {
			d.syntax(err)
		} else {
			d.add(Fault{Line: more.Line, Message: "holds a second document", Hint: "remove the \"---\" line and what follows"})
		}
		return nil
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		d.add(Fault{Line: 1, Message: "is not a list of keys and values", Hint: "begin with \"version: 1\""})
		return nil
	}
	return doc.Content[0]
}

// syntax turns the parser's message, which begins with its line, into a fault.
func (d *document) syntax(err error) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 0
	if _, scanErr := fmt.Sscanf(message, "line %d:", &line); scanErr == nil {
		_, message, _ = strings.Cut(message, ": ")
	}
	d.add(Fault{
		Line: max(line, 1), Message: "is not YAML: " + message,
		Hint: "look at this line and its neighbours: indentation by spaces, a space after each colon, quotes in pairs",
	})
}

// fault records that the value at path breaks a rule. A path that the file does
// not hold is reported at the nearest key around it.
func (d *document) fault(path, message, hint string) {
	at, ok := d.places[path]
	for near := path; !ok && near != ""; {
		near = parent(near)
		if at, ok = d.places[near]; ok {
			at.value = ""
		}
	}
	d.add(Fault{Line: max(at.line, 1), Column: at.column, Path: path, Value: at.value, Message: message, Hint: hint})
}

// has says whether the file itself holds path.
func (d *document) has(path string) bool {
	_, ok := d.places[path]
	return ok
}

// broken says whether path, or a key around it, already has a fault: one is
// enough, and what could not be decoded has no value to judge.
func (d *document) broken(path string) bool {
	return slices.ContainsFunc(d.faults, func(f Fault) bool {
		return f.Path == path || f.Path != "" &&
			(strings.HasPrefix(path, f.Path+".") || strings.HasPrefix(path, f.Path+"["))
	})
}

func (d *document) add(f Fault) {
	if len(d.faults) >= maxFaults {
		return
	}
	f.File = d.file
	if len(f.Value) > maxShown {
		f.Value = strings.ToValidUTF8(f.Value[:maxShown], "") + "…"
	}
	d.faults = append(d.faults, f)
}

// sorted returns the faults in the order in which a reader meets them.
func (d *document) sorted() Faults {
	slices.SortStableFunc(d.faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return d.faults
}

// parent returns the key path around path, empty at the top.
func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// String returns the place as line:column.
func (p place) String() string { return fmt.Sprintf("%d:%d", p.line, p.column) }
