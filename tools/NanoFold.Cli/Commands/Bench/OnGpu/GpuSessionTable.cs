using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using NanoFold.Engine;

namespace NanoFold.Cli.Commands.Bench.OnGpu;

/// <summary>The figures of a session as Markdown: ours, ours by warpgroups, PyTorch's, and ratios (above 1: ours is faster).</summary>
internal sealed class GpuSessionTable
{
    private const string Missing = "–";

    private readonly StringBuilder _text = new();
    private readonly Dictionary<string, JsonObject> _results;

    private GpuSessionTable(IEnumerable<GpuStageRun> runs) => _results = runs.Where(r => r.Result is not null).ToDictionary(r => r.Stage.Name, r => r.Result!);

    public static string Of(IReadOnlyList<GpuStageRun> runs)
    {
        var table = new GpuSessionTable(runs);
        table.Head(runs);
        table.Training();
        table.Products();
        table.Attention();
        table.Steps();
        table.Curves();
        return table._text.ToString();
    }

    private void Head(IReadOnlyList<GpuStageRun> runs)
    {
        string? device = _results.Values.Select(r => (string?)r["device"]).FirstOrDefault(d => d is not null), torch = _results.Values.Select(r => (string?)r["torch"]).FirstOrDefault(t => t is not null);
        _text.Append($"{device ?? "no device"}{(torch is null ? "" : $", PyTorch {torch}")}\n\n");
        Table(["stage", "s", "outcome"], runs.Select(r => (string[])[r.Stage.Name, Display.Number(r.Seconds, "0.0"), Outcome(r)]));
    }

    private static string Outcome(GpuStageRun run)
    {
        IEnumerable<JsonObject> checks = Items(run.Result, "checks"), programs = Items(run.Result, "programs");
        string[] wrong = [.. checks.Concat(programs).Where(c => (bool?)c["holds"] == false || c["fault"] is not null).Select(c => (string)c["name"]!)];
        return wrong.Length == 0 ? run.Outcome : $"{run.Outcome}: {string.Join(", ", wrong.Take(3))}{(wrong.Length > 3 ? $" and {wrong.Length - 3} more" : "")}";
    }

    private void Training()
        => Table(["training", "gradients from the CPU's", "losses", "the same bits", "s"], new[] { "training", "training-wgmma", "training-kinds" }.SelectMany(stage => Items(stage, "checks").Where(c => c["skipped"] is null).Select(c => (string[])
            [$"{c["name"]}{(stage == "training-wgmma" ? ", wgmma" : "")}", Number(Value(c, "gradientDifference"), "0.0e+0"), Number(Value(c, "lossDifference"), "0.0e+0"), (bool?)c["sameBits"] == true ? "yes" : "no", Number(Value(c, "seconds"))])));

    private void Products()
    {
        JsonObject[] plain = [.. Items("products", "products")], warpgroups = [.. Items("products-wgmma", "products")], theirs = [.. Items("peer-products", "cases")];
        Table(
            ["product", "m", "n", "k", "fp32", "tf32", "bf16", "bf16 wgmma", "of cuBLAS: fp32", "tf32", "bf16", "bf16 wgmma"],
            plain.Select((p, i) =>
            {
                JsonObject? other = theirs.FirstOrDefault(t => new[] { "m", "n", "k" }.All(d => (int)t[d]! == (int)p[d]!));
                double? wide = i < warpgroups.Length ? Value(warpgroups[i], "bf16") : null;
                return (string[])
                [
                    $"{p["name"]}", $"{p["m"]}", $"{p["n"]}", $"{p["k"]}", Number(Value(p, "fp32")), Number(Value(p, "tf32")), Number(Value(p, "bf16")), Number(wide),
                    Ratio(Value(p, "fp32"), Value(other, "fp32")), Ratio(Value(p, "tf32"), Value(other, "tf32")), Ratio(Value(p, "bf16"), Value(other, "bf16")), Ratio(wide, Value(other, "bf16")),
                ];
            }));
    }

    private void Attention()
    {
        string[] shape = ["context", "batch", "heads", "headDim"];
        JsonObject[] theirs = [.. Items("peer-attention", "cases")], warpgroups = [.. Items("attention-wgmma", "attention")];
        Table(
            ["context", "batch", "heads", "head dim", "forward ms", "both ms", "backward by one kernel: both ms", "by wgmma: forward ms", "both ms", "TFLOP/s", "PyTorch: forward", "both", "forward, of wgmma", "both, of wgmma"],
            Items("attention", "attention").Select((a, i) =>
            {
                JsonObject? wide = i < warpgroups.Length ? warpgroups[i] : null;
                JsonObject? other = theirs.FirstOrDefault(t => shape.All(d => (int)t[d]! == (int)a[d]!));
                return (string[])
                [
                    .. shape.Select(d => $"{a[d]}"), Number(Value(a, "forwardMs"), "0.000"), Number(Value(a, "bothMs"), "0.000"), Number(Value(a, "bothByOneMs"), "0.000"),
                    Number(Value(wide, "forwardMs"), "0.000"), Number(Value(wide, "bothMs"), "0.000"), Number(Value(a, "tflops")),
                    Ratio(Value(other, "forwardMs"), Value(a, "forwardMs")), Ratio(Value(other, "bothMs"), Value(a, "bothMs")), Ratio(Value(other, "forwardMs"), Value(wide, "forwardMs")),
                    Ratio(Value(other, "bothMs"), Value(wide, "bothMs")),
                ];
            }));
    }

    private void Steps()
    {
        // In other ways: each is a stage of its own, its steps in the same order.
        JsonObject[][] others = [.. new[] { "steps-wgmma", "steps-plain", "steps-joined", "steps-early", "steps-slices" }.Select(stage => (JsonObject[])[.. Items(stage, "steps")])];
        string[] modes = ["eager", "compiled", "graph", "compiledGraph"];
        Table(
            ["step", "batch", "precision", "tokens/s", "wgmma", "plain", "gates apart", "early launch", "slices in one launch", .. modes.Select(m => $"of {m}")],
            Items("steps", "steps").Select((s, i) =>
            {
                bool isHalf = (string?)s["precision"] == "bf16";
                double?[] rates = [Value(s, "tokensPerSecond"), .. others.Select(o => i < o.Length ? Value(o[i], "tokensPerSecond") : null)];
                JsonObject? other = isHalf && _results.TryGetValue($"peer-step-{s["preset"]}", out JsonObject? peer) ? peer["tokensPerSecond"] as JsonObject : null;
                return (string[]) [$"{s["preset"]}", $"{s["batch"]}", $"{s["precision"]}", .. rates.Select(r => Number(r, "0")), .. modes.Select(m => Ratio(rates.Max(), Value(other, m)))];
            }));
    }

    private void Curves()
        => Table(["curve", "first", "last", "largest difference from fp32"], Items("curves", "curves").Select(c => (string[])
            [$"{c["precision"]}", Number(Value(c, "first"), "0.0000"), Number(Value(c, "last"), "0.0000"), Number(Value(c, "largestDifference"), "0.0000")]));

    /// <summary>Nothing where there is no row.</summary>
    private void Table(string[] head, IEnumerable<string[]> rows)
    {
        string[][] all = [.. rows];
        if (all.Length == 0)
        {
            return;
        }

        foreach (string[] row in new[] { head, [.. head.Select(_ => "---")] }.Concat(all))
        {
            _text.Append("| ").AppendJoin(" | ", row).Append(" |\n");
        }

        _text.Append('\n');
    }

    private IEnumerable<JsonObject> Items(string stage, string part) => Items(_results.GetValueOrDefault(stage), part);

    private static IEnumerable<JsonObject> Items(JsonObject? result, string part) => (result?[part] as JsonArray)?.OfType<JsonObject>() ?? [];

    private static double? Value(JsonObject? from, string name) => (double?)from?[name];

    private static string Number(double? value, string format = "0.0") => value is { } v ? format.Contains('e') ? v.ToString(format, CultureInfo.InvariantCulture) : Display.Number(v, format) : Missing;

    private static string Ratio(double? over, double? under) => over is > 0 and { } a && under is > 0 and { } b ? Display.Number(a / b, "0.00") : Missing;
}
