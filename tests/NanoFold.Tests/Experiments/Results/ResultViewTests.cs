using NanoFold.Cli;
using NanoFold.Cli.Commands.Compare;
using NanoFold.Engine;
using NanoFold.Engine.Experiments.Results;
using NanoFold.Engine.Experiments.Statistics;
using NanoFold.Engine.Tasks;

namespace NanoFold.Tests.Experiments.Results;

/// <summary>What a terminal of 80 columns shows of a comparison.</summary>
public class ResultViewTests
{
    [Test]
    public void ATerminalOf80ColumnsHoldsTheTables()
    {
        using var text = new StringWriter();
        ResultView.Write(new Output(text, text, json: false, width: 80), Result());
        string[] lines = [.. text.ToString().Split(Environment.NewLine)];
        Assert.Multiple(() =>
        {
            Assert.That(lines.Where(line => line.Length > 80), Is.Empty);
            Assert.That(lines[2..8], Is.EqualTo(new[]
            {
                "variant                loss       ±           difference [95 %]  bits/byte",
                "gated                1.8000  0.0100  −0.0500 [−0.0748, −0.0252]     2.5969",
                "attention (base)     1.8500  0.0100                                 2.6690",
                "Kneser-Ney, order 5  2.1000                                         3.0300",
                "xz after the text         –                                         3.4000",
                "",
            }));
        });
    }

    [Test]
    public void LayersStandSideBySide()
    {
        GeometryResult At(string measure, string figure, string point, int layer, double mean) => new(measure, figure, point, layer, mean, null, 1);
        ComparisonResult result = Result();
        VariantResult gated = result.Variants[0] with
        {
            Geometry =
            [
                At("attention", "firstTokenMass", "blocks.1", 1, 0.25), At("attention", "firstTokenMass", "blocks.0", 0, 0.5), At("gates", "gateMean", "blocks.0", 0, 0.125),
                At("spectrum", "participationRatio", "blocks.0.hook_mlp_out", 0, 3), At("weight-spectra", "weightErank", "model.layers.0.self_attn.q_proj.weight", 0, 12.4),
            ],
            Contexts = [new(1, 64, 1.8, null, null, null, null), new(2, 128, null, null, null, null, "position learned")],
        };
        result = result with { Variants = [gated, result.Variants[1]] };
        Assert.Multiple(() =>
        {
            Assert.That(ResultTable.Layers(result)!.Heads, Is.EqualTo(new[] { "by layer", "first token, %", "gate", "rank of q" }));
            Assert.That(ResultTable.Layers(result)!.Rows, Is.EqualTo(new[] { new[] { "gated", "50.0 25.0", "0.13 –", "12 –" }, ["attention", "", "", ""] }));
            Assert.That(ResultTable.Contexts(result)!.Rows, Is.EqualTo(new[] { new[] { "gated", "1.8000", "–" }, ["attention", "–", "–"] }));
            Assert.That(ResultFiles.GeometryOf(result), Does.Contain("\ngated,gates,gateMean,blocks.0,0,0.125,,1\n"));
            Assert.That(ResultTable.Layers(Result()), Is.Null);
        });
    }

    [Test]
    public void NotesSayWhatReferencesAreOfAndWhoHasNoBreakdowns()
    {
        ReferenceResult Of(string name, string? on) => new(name, [new("loss", 2)]) { On = on };
        ComparisonResult result = Result() with { References = [Of("n-gram", ReferenceResult.OfRows), Of("xz", ReferenceResult.OfAll), Of("zstd", ReferenceResult.OfAll), Of("unknown", null)] };
        VariantResult first = result.Variants[0] with { Breakdowns = [new("position", "places", AxisScale.Doubling, [])] }, second = result.Variants[1];
        Assert.Multiple(() =>
        {
            Assert.That(ResultNotes.References(result), Is.EqualTo(new[] { $"What is reached without a neural network is of {ReferenceResult.OfRows}: n-gram; of {ReferenceResult.OfAll}: xz, zstd." }));
            Assert.That(ResultNotes.References(result with { References = [Of("xz", ReferenceResult.OfAll)] }), Is.EqualTo(new[] { $"What is reached without a neural network is of {ReferenceResult.OfAll}." }));
            Assert.That(ResultNotes.Breakdowns(result), Is.Empty, "of none there is nothing to miss");
            Assert.That(ResultNotes.Breakdowns(result with { Variants = [first, second] }), Is.EqualTo(new[] { $"No means by position, frequency and so on of {second.Name}: runs lack evaluation.json, or theirs are of different rows." }));
        });
    }

    [Test]
    public void NumbersAreShownAsTheyAreSaid()
    {
        Assert.Multiple(() =>
        {
            Assert.That(ResultText.Figure("accuracy", 0.98765), Is.EqualTo("98.8 %"));
            Assert.That(ResultText.Signed("accuracy", -0.012), Is.EqualTo("−1.2"));
            Assert.That(ResultText.Figure("loss", 0.00012345), Is.EqualTo("1.23e-4"));
            Assert.That(ResultText.Figure("loss", double.NaN), Is.EqualTo("–"));
            Assert.That(ResultText.Of(809856, Display.Short), Is.EqualTo("810 k"));
            Assert.That(ResultText.Of(null, Display.Short), Is.EqualTo("–"));
            Assert.That(ResultText.Rate(1e-5), Is.EqualTo("1e-05"));
        });
    }

    private static ComparisonResult Result() => new()
    {
        Title = "2 variants on text.txt, parameters held equal, 3 seeds",
        Task = "text",
        LossUnit = "nats per token",
        RankedBy = "loss",
        IsOfAllHeldBack = true,
        Base = "attention",
        Variants = [Variant("gated", isBase: false, 1.80, 1.81, 1.79), Variant("attention", isBase: true, 1.85, 1.85, 1.85)],
        References = [new("Kneser-Ney, order 5", [new("loss", 2.1), new("bitsPerByte", 3.03)]), new("xz after the text", [new("bitsPerByte", 3.4)]), new("guessing", [new("other", 1)])],
        Summary = ["gated is the best: it has the lowest mean loss, and every other variant is behind it by more than the noise of seeds explains."],
    };

    private static VariantResult Variant(string name, bool isBase, params double[] losses) => new()
    {
        Name = name,
        IsBase = isBase,
        Parameters = 809856,
        FlopsPerToken = 5123456,
        CacheBytesPerToken = 4096,
        TokensPerSecond = 12345,
        PeakBytes = 200_000_000,
        Seconds = 125,
        LearningRate = 0.003,
        Verdict = isBase ? "the base" : "better at 3 seeds: lower by 0.0500 (0.0252 to 0.0748)",
        Figures =
        [
            new FigureResult("loss", losses.Average(), 0.01, 3, isBase ? null : PairedDifference.Of([.. losses.Select(loss => (loss, 1.85))])),
            new FigureResult("bitsPerByte", losses.Average() / Math.Log(2), 0.02, 3, null),
        ],
    };
}
