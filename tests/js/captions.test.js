import assert from "node:assert/strict";
import { test } from "node:test";

import { best } from "../../core/static/ui/captions.js";

test("the first preferred language that is there counts, in any variety", () => {
  assert.equal(best(["en", "de"], ["de-AT", "en"]), "de");
  assert.equal(best(["pt-BR", "en"], ["pt", "en"]), "pt-BR");
  assert.equal(best(["en", "en-GB"], ["en-gb"]), "en-GB");
  assert.equal(best(["en", "en-GB"], ["en-US"]), "en");
  assert.equal(best(["en", "de"], ["fr", "de"]), "de");
});

test("no language that fits is none", () => {
  assert.equal(best(["en"], ["fr"]), null);
  assert.equal(best([], ["en"]), null);
  assert.equal(best(["en"], []), null);
});
