using System.Text.Json;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Geometry.Dimensions;
using NanoFold.Engine.Geometry.Labels;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Interchange;
using NanoFold.Tests.Interchange.Gguf;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Geometry.Published;

/// <summary>The stream of a real model, SmolLM2-135M-Instruct, from its file on: at the last token of windows of text, as transformers and DADApy measure it.</summary>
[Category("Published")]
[Category("Long")]
public class SmolLm2GeometryTests : EngineTests
{
    private const string Folder = "peers/smollm2";
    private const int Window = 32, Windows = 1000, Near = 30;

    [TestCase("tokens", "text")]
    [TestCase("shuffled", "shuffled")]
    public void FiguresOfItsLayersAreThePublishedOnes(string tokens, string name)
    {
        JsonElement[] expected = [.. Read("geometry.json").GetProperty(name).EnumerateArray()];
        using ForeignModel foreign = ForeignModel.TryOpen(SharedData.Path($"{Folder}/SmolLM2-135M-Instruct.Q4_1.gguf"))!;
        using var read = new ForeignNumbers(foreign, Backend(threads: 2), Window);
        using SafeTensorsFile file = SafeTensorsFile.Open(SharedData.Path($"{Folder}/geometry.tokens.safetensors"));
        float[][] layers = LastTokens(read, [.. ForeignNumbers.Integers(file, tokens).Chunk(Window)], out int width);
        Assert.That((layers.Length, layers[0].Length), Is.EqualTo((expected.Length, Windows * width)));
        var agreement = new CaseAgreement("smollm2", $"geometry, {name}");
        float[]? before = null;
        foreach ((float[] rows, JsonElement point) in layers.Zip(expected))
        {
            string at = point.GetProperty("point").GetString()!;
            void Same(double? value, string figure) => agreement.NearRelatively(value, point.GetProperty(figure).GetDouble(), 1e-3, figure, $"{figure} at {at}");
            int[] distinct = DistinctRows.Find(rows, Windows, width);
            Assert.That(distinct, Has.Length.EqualTo(point.GetProperty("n").GetInt32()), at);
            NeighborGraph graph = NearestNeighbors.Search([.. distinct.SelectMany(i => rows[(i * width)..((i + 1) * width)])], distinct.Length, width, 64);
            Same(TwoNN.Fit(graph).Dimension, "twonn");
            foreach ((DimensionEstimate estimate, JsonElement scale) in Gride.ScaleScan(graph).Zip(point.GetProperty("gride").EnumerateArray()))
            {
                agreement.NearRelatively(estimate.Dimension, scale.GetDouble(), 1e-3, "gride", $"gride at {at}");
            }

            var moments = new StreamingMoments(width);
            moments.Add(rows, Windows);
            SpectrumSummary summary = moments.Summarize();
            Same(summary.ParticipationRatio, "participationRatio");
            Same(summary.ErankSv, "erankSv");
            Same(summary.FirstShare, "firstShare");
            PositionSplit<RowSummary> norms = RowStatistics.Rows(rows, Windows, width, 0);
            Same(norms.All.MeanNorm, "meanNorm");
            Same(norms.All.MeanCosine, "meanCosine");
            if (before is not null)
            {
                Same(LinearCka.Between(before, width, rows, width, Windows).Unbiased, "ckaUnbiasedToPrevious");
                // Of copies of a token, which are one and the same embedding, one is kept here: neighbors of the embedding are others than DADApy's.
                if (!at.StartsWith("blocks.0.", StringComparison.Ordinal))
                {
                    double? overlap = NeighborhoodOverlap.Between(NearestNeighbors.Search(before, Windows, width, Near), NearestNeighbors.Search(rows, Windows, width, Near), Near).Overlap;
                    agreement.Near(overlap, point.GetProperty("overlap30ToPrevious").GetDouble(), 1e-3, "overlap30ToPrevious", $"overlap at {at}");
                }
            }

            before = rows;
        }

        agreement.Record();
    }

    [Test]
    public void AWordInTwoContextsPartsAsPublished()
    {
        JsonElement expected = Read("contexts.json");
        using ForeignModel foreign = ForeignModel.TryOpen(SharedData.Path($"{Folder}/SmolLM2-135M-Instruct.Q4_1.gguf"))!;
        using var read = new ForeignNumbers(foreign, Backend(threads: 2), 64);
        int[][] Sets(string name) => [.. expected.GetProperty(name).EnumerateArray().Select(text => text.EnumerateArray().Select(id => id.GetInt32()).ToArray())];
        float[][] fruit = LastTokens(read, Sets("tokensFruit"), out int width), company = LastTokens(read, Sets("tokensCompany"), out _);
        var agreement = new CaseAgreement("smollm2", "one word in two contexts");
        foreach ((int layer, JsonElement figures) in expected.GetProperty("figures").EnumerateArray().Index().Where(point => point.Index > 0))
        {
            ContextSeparation found = ContextSeparation.Measure(fruit[layer], company[layer], width, 1);
            agreement.NearRelatively(found.Ratio, figures.GetProperty("distanceOverSpread").GetDouble(), 1e-3, "distance over spread");
            // Means of 20 shufflings here, of 50 there.
            agreement.Near(found.RatioByChance, figures.GetProperty("shuffledLabels").GetDouble(), 0.05, "the same of shuffled contexts");
            agreement.Near(found.NearestMean, figures.GetProperty("nearestMeanLeaveOneOut").GetDouble(), 1e-9, "nearest mean");
        }

        agreement.Record();
    }

    // The stream before the first block and after each, at the last token of each text.
    private static float[][] LastTokens(ForeignNumbers read, int[][] texts, out int width)
    {
        int depth = width = read.Model.Config.Width;
        string[] points = ["hook_embed", .. Enumerable.Range(0, read.Model.Config.Layers).Select(layer => $"blocks.{layer}.hook_resid_post")];
        float[][] layers = [.. points.Select(_ => new float[texts.Length * depth])];
        var runs = new SequenceRuns { Points = points, Read = (number, point, values) => values[^depth..].CopyTo(layers[Array.IndexOf(points, point)].AsSpan(number * depth)) };
        runs.Run(read.Model, texts);
        return layers;
    }

    private static JsonElement Read(string name) => JsonDocument.Parse(File.ReadAllText(SharedData.Path($"{Folder}/{name}"))).RootElement;
}
