// Renders a chart with what Helm itself is made of: Go's text/template, Sprig, sigs.k8s.io/yaml, and Helm's own `include` and `toYaml`.
// Usage: render CHART-FOLDER VALUES-FILE. Stricter than Helm: a value that does not exist is an error.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"sigs.k8s.io/yaml"
)

type object = map[string]interface{}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read(path string) object {
	text, err := os.ReadFile(path)
	check(err)
	found := object{}
	check(yaml.UnmarshalStrict(text, &found))
	return found
}

// As Helm lays values over those of the chart: maps into maps, everything else in place of what was there.
func lay(over, under object) object {
	for key, value := range over {
		inner, isMap := value.(object)
		below, hasMap := under[key].(object)
		if isMap && hasMap {
			under[key] = lay(inner, below)
		} else {
			under[key] = value
		}
	}
	return under
}

func main() {
	folder := os.Args[1]
	about := read(filepath.Join(folder, "Chart.yaml"))
	values := lay(read(os.Args[2]), read(filepath.Join(folder, "values.yaml")))
	root := template.New("chart").Option("missingkey=error")
	functions := sprig.TxtFuncMap()
	delete(functions, "env")
	delete(functions, "expandenv")
	functions["toYaml"] = func(value interface{}) string {
		text, err := yaml.Marshal(value)
		check(err)
		return strings.TrimSuffix(string(text), "\n")
	}
	functions["include"] = func(name string, data interface{}) (string, error) {
		var out strings.Builder
		err := root.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	root.Funcs(functions)
	names, err := filepath.Glob(filepath.Join(folder, "templates", "*"))
	check(err)
	sort.Strings(names)
	for _, name := range names {
		text, err := os.ReadFile(name)
		check(err)
		_, err = root.New(name).Parse(string(text))
		check(err)
	}
	data := object{
		"Values":  values,
		"Chart":   object{"Name": about["name"], "Version": about["version"], "AppVersion": about["appVersion"]},
		"Release": object{"Name": "id", "Namespace": "default", "Service": "Helm"},
	}
	for _, name := range names {
		if filepath.Ext(name) == ".yaml" {
			fmt.Println("---")
			check(root.ExecuteTemplate(os.Stdout, name, data))
		}
	}
}
