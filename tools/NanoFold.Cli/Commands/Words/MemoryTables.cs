using System.Globalization;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Memories;
using NanoFold.Engine.Runs.Surveys;

namespace NanoFold.Cli.Commands.Words;

/// <summary>Bounds of what is asked of a rewritten unit.</summary>
internal sealed record RewriteSettings
{
    /// <summary>How much longer than the old value the change is.</summary>
    [Bounds(0, 1000, AboveMinimum = true)]
    public double Strength { get; init; } = 5;
}

/// <summary>What was found of units, as text of a terminal's width and as JSON.</summary>
internal static class MemoryTables
{
    // Tokens before the one that excites, and letters of a line that they may take.
    private const int Before = 12, Letters = 44;

    public static void Write(Output output, SampleText sample, LayerMemory layer)
    {
        output.Line($"layer {layer.Layer}: {Display.Count(layer.Units)} units over {Display.Count(layer.Places)} places of {sample.Name}; of {Percent(layer.Agreement)} the token after the strongest context is among the 10 that the value promotes (of other units' values {Percent(layer.AgreementByChance)})");
        foreach (UnitMemory unit in layer.Shown)
        {
            output.Line($"  unit {layer.Layer}.{unit.Unit}, strongest {Display.Number(unit.Selectivity, "0")} times its rms");
            foreach (Excitation one in unit.Contexts)
            {
                int[] row = sample.Rows[one.Row];
                string before = sample.Read(row.AsSpan(Math.Max(0, one.At - Before)..one.At));
                before = before.Length > Letters ? "…" + before[^Letters..] : before;
                output.Line($"    {Display.Signed(one.Activation, "0.00"),7}  {before}[{sample.Read(row[one.At])}]{(one.At + 1 < row.Length ? $" → {sample.Read(row[one.At + 1])}" : "")}");
            }

            output.Line($"    promotes    {Told(sample, unit, unit.Promotes)}");
            output.Line($"    suppresses  {Told(sample, unit, unit.Suppresses)}");
        }

        output.Line();
    }

    public static void Write(Output output, TokenWords words, UnitPrediction found)
    {
        output.Line($"{words.Read(found.Token)}: probability {Display.Number(found.Probability, "0.000")}, logit {Display.Number(found.Logit, "0.00")} above the mean, of which units contribute {Display.Number(found.Share, "0.00")}");
        output.Table(numbers: true,
        [
            ["unit", "activation", "contributes", "−ln p without it"],
            .. found.Units.Select(one => (string[])
            [
                string.Create(CultureInfo.InvariantCulture, $"{one.Layer}.{one.Unit}"), Display.Signed(one.Activation, "0.00"), Display.Signed(one.Contribution, "0.00"),
                one.WithoutIt is { } without ? Display.Signed(without, "0.000") : "–",
            ]),
        ]);
        output.Line($"without a random unit of the same layers: {Display.Number(found.WithoutRandom, "0.000")} in size, on average");
    }

    public static void Write(Output output, SampleText sample, UnitRewrite found)
    {
        output.Line($"unit {found.Layer}.{found.Unit} is to say {sample.Read(found.Token)}; {Display.Count(found.Excited)} of {Display.Count(found.Places)} places of {sample.Name} excite it");
        output.Table(numbers: true,
        [
            ["", "before", "rewritten", "random"],
            Row("its probability where excited", found, effect => effect.Wanted, "0.0000"),
            Row("its probability elsewhere", found, effect => effect.WantedElsewhere, "0.0000"),
            Row("loss", found, effect => effect.Loss, "0.0000"),
            Row("divergence from before, nats", found, effect => effect.Divergence, "0.0000"),
        ]);
    }

    public static JsonObject ToJson(SampleText sample, IReadOnlyList<LayerMemory> layers) => new()
    {
        ["layers"] = new JsonArray([.. layers.Select(layer => (JsonNode)new JsonObject
        {
            ["layer"] = layer.Layer,
            ["units"] = layer.Units,
            ["places"] = layer.Places,
            ["agreement"] = layer.Agreement,
            ["agreementByChance"] = layer.AgreementByChance,
            ["shown"] = new JsonArray([.. layer.Shown.Select(unit => ToJson(sample, unit))]),
        })]),
        ["data"] = sample.Name,
    };

    public static JsonObject ToJson(TokenWords words, UnitPrediction found) => new()
    {
        ["token"] = found.Token,
        ["text"] = words.Read(found.Token),
        ["probability"] = found.Probability,
        ["logit"] = found.Logit,
        ["units"] = found.Share,
        ["carriers"] = new JsonArray([.. found.Units.Select(one => (JsonNode)new JsonObject
        {
            ["layer"] = one.Layer, ["unit"] = one.Unit, ["activation"] = one.Activation, ["contribution"] = one.Contribution, ["withoutIt"] = one.WithoutIt,
        })]),
        ["withoutRandom"] = found.WithoutRandom,
    };

    public static JsonObject ToJson(SampleText sample, UnitRewrite found) => new()
    {
        ["layer"] = found.Layer,
        ["unit"] = found.Unit,
        ["token"] = found.Token,
        ["text"] = sample.Read(found.Token),
        ["places"] = found.Places,
        ["excited"] = found.Excited,
        ["before"] = ToJson(found.Before),
        ["after"] = ToJson(found.After),
        ["random"] = ToJson(found.Random),
    };

    private static JsonNode ToJson(SampleText sample, UnitMemory unit) => new JsonObject
    {
        ["unit"] = unit.Unit,
        ["selectivity"] = unit.Selectivity,
        ["contexts"] = new JsonArray([.. unit.Contexts.Select(one => (JsonNode)new JsonObject
        {
            ["row"] = one.Row,
            ["at"] = one.At,
            ["activation"] = one.Activation,
            ["before"] = sample.Read(sample.Rows[one.Row].AsSpan(Math.Max(0, one.At - Before)..one.At)),
            ["token"] = sample.Read(sample.Rows[one.Row][one.At]),
            ["next"] = one.At + 1 < sample.Rows[one.Row].Length ? sample.Read(sample.Rows[one.Row][one.At + 1]) : null,
        })]),
        ["promotes"] = ToJson(sample, unit.Promotes),
        ["suppresses"] = ToJson(sample, unit.Suppresses),
    };

    private static JsonArray ToJson(SampleText sample, IReadOnlyList<ScoredToken> tokens) =>
        new([.. tokens.Select(one => (JsonNode)new JsonObject { ["token"] = one.Token, ["text"] = sample.Read(one.Token), ["logit"] = one.Score })]);

    private static JsonNode ToJson(RewriteEffect effect) => new JsonObject
    {
        ["loss"] = effect.Loss, ["divergence"] = effect.Divergence, ["wanted"] = effect.Wanted, ["wantedElsewhere"] = effect.WantedElsewhere,
    };

    private static string[] Row(string name, UnitRewrite found, Func<RewriteEffect, double> value, string format) =>
        [name, .. new[] { found.Before, found.After, found.Random }.Select(effect => Display.Number(value(effect), format))];

    // What is added where the unit is strongest, before the last norm's division.
    private static string Told(SampleText sample, UnitMemory unit, IReadOnlyList<ScoredToken> tokens)
    {
        double strongest = unit.Contexts.Count > 0 ? Math.Abs(unit.Contexts[0].Activation) : 0;
        return string.Join(", ", tokens.Select(one => $"{sample.Read(one.Token)} {Display.Signed(strongest * one.Score, "0.00")}"));
    }

    private static string Percent(double share) => $"{Display.Number(100 * share, "0")} %";
}
