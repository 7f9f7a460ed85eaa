# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
The dashboard against Grafana's published schema. It is published as TypeScript types (npm: @grafana/schema), so the
JSON is written into a program as a literal of these types and the compiler judges: a wrong type, an unknown key or an
unknown word is an error.
"""
import copy
import json

import pytest

import npm
import sources

PROGRAM = """
import type {{ Dashboard, Panel, RowPanel }} from "@grafana/schema";
import type * as timeseries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";
import type * as stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";

// In JSON an enum is its value.
type Plain<T> = T extends string ? `${{T}}`
    : T extends number ? (`${{T}}` extends `${{infer N extends number}}` ? N : T)
    : T extends (infer U)[] ? Plain<U>[]
    : T extends object ? {{ [K in keyof T]: Plain<T[K]> }} : T;

type Of<Kind, Options, Custom> = Omit<Plain<Panel>, "type" | "options" | "fieldConfig" | "targets"> & {{
    type: Kind; options: Plain<Options>; targets: Target[];
    fieldConfig: {{
        defaults: Omit<Plain<NonNullable<Panel["fieldConfig"]>["defaults"]>, "custom"> & {{ custom?: Plain<Custom> }};
        overrides: never[];
    }};
}};
// A query of the data source Prometheus: its own schema is not published in this package.
type Target = {{
    refId: string; datasource: {{ type: "prometheus"; uid: string }}; expr: string; editorMode: "code";
    instant: boolean; range: boolean; legendFormat?: string; format?: "table" | "time_series";
}};
type AnyPanel = Of<"timeseries", timeseries.Options, timeseries.FieldConfig>
    | Of<"stat", stat.Options, {{}}>
    | Of<"table", table.Options, table.FieldConfig> | Plain<RowPanel>;

export const dashboard: Omit<Plain<Dashboard>, "panels"> & {{ panels: AnyPanel[] }} = {json};
"""


def errors(dashboard):
    return npm.type_errors(PROGRAM.format(json=json.dumps(dashboard, indent=1)))


def test_dashboard_has_the_types_of_grafana():
    assert errors(sources.dashboard()) == []


def _first(dashboard, kind):
    return next(panel for panel in dashboard["panels"] if panel["type"] == kind)


WRONG = {
    "an unknown key": lambda d: d.update(titel="x"),
    "a missing key": lambda d: d.pop("schemaVersion"),
    "a number for a text": lambda d: d.update(title=1),
    "an unknown key of a panel": lambda d: _first(d, "stat").update(unit="s"),
    "an unknown kind of panel": lambda d: _first(d, "stat").update(type="statt"),
    "an unknown option": lambda d: _first(d, "timeseries")["options"]["legend"].update(show=True),
    "an unknown word": lambda d: _first(d, "stat")["options"].update(colorMode="colour"),
    "a wrong style of line": lambda d: _first(d, "timeseries")["fieldConfig"]["defaults"]["custom"].update(
        drawStyle="dots"),
    "a wrong mode of the colour": lambda d: _first(d, "stat")["fieldConfig"]["defaults"].update(color={"mode": "red"}),
    "a number that is no choice": lambda d: d["templating"]["list"][1].update(refresh=7),
}


@pytest.mark.parametrize("what", WRONG)
def test_types_refuse(what):
    dashboard = copy.deepcopy(sources.dashboard())
    WRONG[what](dashboard)
    assert errors(dashboard), what
