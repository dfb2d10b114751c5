package people

import (
	_ "embed"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bordergate/cmd/gatesim/scene"

	"go.yaml.in/yaml/v3"
)

// ErrNobody is returned where the photographs of the demonstration are not
// there.
var ErrNobody = errors.New("no photographs to make travellers from")

// The sources of a person's photographs.
const (
	Demonstration = "demonstration photographs"
	LFW           = "lfw"
)

// Shot is one face in one photograph.
type Shot struct {
	File string
	Face scene.Face
}

// Load reads the photograph.
func (s Shot) Load() (image.Image, error) {
	f, err := os.Open(s.File)
	if err != nil {
		return nil, fmt.Errorf("read photograph: %w", err)
	}
	defer f.Close()
	img, err := jpeg.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("read photograph %s: %w", filepath.Base(s.File), err)
	}
	return img, nil
}

// Person is one person and his photographs.
type Person struct {
	ID     string
	Source string
	Enrol  Shot
	Film   Shot // the same as Enrol for a re-capture
}

// Recapture reports whether the enrolled photograph itself is filmed.
func (p Person) Recapture() bool { return p.Enrol.File == p.Film.File }

// Turn is how far a filmed head is turned against its photograph.
func (p Person) Turn() float64 {
	if p.Recapture() {
		return scene.TurnSame
	}
	return scene.TurnSecond
}

//go:embed faces.yaml
var facesYAML []byte

type facesFile struct {
	Photos []struct {
		File  string     `yaml:"file"`
		Faces []faceLine `yaml:"faces"`
	} `yaml:"photos"`
}

type faceLine struct {
	ID   string     `yaml:"id"`
	Film bool       `yaml:"film"`
	Box  [4]float64 `yaml:"box"`
	Eyes [4]float64 `yaml:"eyes"`
	Nose [2]float64 `yaml:"nose"`
}

func (l faceLine) box() scene.Box {
	return scene.Box{X1: l.Box[0], Y1: l.Box[1], X2: l.Box[2], Y2: l.Box[3]}
}

func (l faceLine) face(others []faceLine) scene.Face {
	f := scene.Face{Box: l.box(), Eyes: [2][2]float64{{l.Eyes[0], l.Eyes[1]}, {l.Eyes[2], l.Eyes[3]}}, Nose: l.Nose}
	for _, o := range others {
		if o.Box != l.Box {
			f.Others = append(f.Others, o.box())
		}
	}
	return f
}

// Demo lists the people of the demonstration photographs in dir.
func Demo(dir string) ([]Person, error) {
	var file facesFile
	if err := yaml.Unmarshal(facesYAML, &file); err != nil {
		return nil, fmt.Errorf("read the list of faces: %w", err)
	}
	var out []Person
	for _, ph := range file.Photos {
		path := filepath.Join(dir, ph.File)
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("%w: %s is missing; run \"make models\"", ErrNobody, path)
		}
		for _, l := range ph.Faces {
			out = add(out, l, Shot{File: path, Face: l.face(ph.Faces)})
		}
	}
	return out, nil
}

// add puts a face into the list of people.
func add(list []Person, l faceLine, s Shot) []Person {
	if l.ID == "" {
		return list
	}
	i := slices.IndexFunc(list, func(p Person) bool { return p.ID == l.ID })
	if i >= 0 {
		list[i].Film = s
		return list
	}
	return append(list, Person{ID: l.ID, Source: Demonstration, Enrol: s, Film: s})
}

// lfwFace is where the aligned photographs of LFW have the face.
func lfwFace() scene.Face {
	return scene.Face{
		Box:  scene.Box{X1: 80, Y1: 61, X2: 169, Y2: 194},
		Eyes: [2][2]float64{{104, 112}, {146, 112}},
	}
}

// Folder lists the people with two photographs or more in a folder laid out
// as LFW is: a folder a person. The first photograph is enrolled, the second
// filmed. A missing folder has nobody in it.
func Folder(dir string) ([]Person, error) {
	list, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list people: %w", err)
	}
	var out []Person
	for _, d := range list {
		if !d.IsDir() {
			continue
		}
		files, err := filepath.Glob(filepath.Join(dir, d.Name(), "*.jpg"))
		if err != nil || len(files) < 2 {
			continue
		}
		slices.SortFunc(files, strings.Compare)
		out = append(out, Person{
			ID: fmt.Sprintf("l%04d", len(out)+1), Source: LFW,
			Enrol: Shot{File: files[0], Face: lfwFace()}, Film: Shot{File: files[1], Face: lfwFace()},
		})
	}
	return out, nil
}
