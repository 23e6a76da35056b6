// Says what kstatus, by which Flux and Helm judge an object, makes of objects: standard input is a JSON list of them, standard output the
// JSON list of {status, message}.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type outcome struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	var objects []json.RawMessage
	fail(json.NewDecoder(os.Stdin).Decode(&objects))
	outcomes := make([]outcome, 0, len(objects))
	for _, text := range objects {
		object := &unstructured.Unstructured{}
		fail(object.UnmarshalJSON(text))
		result, err := status.Compute(object)
		fail(err)
		outcomes = append(outcomes, outcome{Status: result.Status.String(), Message: result.Message})
	}
	fail(json.NewEncoder(os.Stdout).Encode(outcomes))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
