using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Runs.Interventions;
using NanoFold.Engine.Runs.Surveys;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs;

/// <summary>Edits of a trained model: what they change, what they are held against, and where their values come from.</summary>
[NonParallelizable]
public class InterventionTests
{
    private const string Point = "blocks.0.hook_resid_post";

    private TrainRig _rig = null!;
    private Backend _backend = null!;
    private TrainedModel _first = null!;
    private TrainedModel _second = null!;

    [OneTimeSetUp]
    public void SetUp()
    {
        _rig = new TrainRig();
        _rig.Train("first", "train.seed=1");
        _rig.Train("second", "train.seed=2");
        _backend = new CpuBackend(1);
        _first = TrainedModel.Load(_rig["first"], _backend);
        _second = TrainedModel.Load(_rig["second"], _backend);
    }

    [OneTimeTearDown]
    public void TearDown()
    {
        _second.Dispose();
        _first.Dispose();
        _backend.Dispose();
        _rig.Dispose();
    }

    [Test]
    public void TheChangeIsThatOfAnEvaluationWithTheEdit()
    {
        InterventionResult result = Intervention.Run(_first, EditList.Read(["""{"kind":"ablate","points":"blocks.1.hook_mlp_out"}"""]), new InterventionOptions { Controls = 2 });
        using var corpus = Corpus.Open(_rig.TextPath);
        Assert.That(result.Plain.Loss, Is.EqualTo(_first.Evaluate(corpus, TextPart.Validation).Loss).Within(1e-6));
        Assert.That(result.Edited.Loss, Is.Not.EqualTo(result.Plain.Loss).Within(1e-4));
        Assert.That(result.Plain.Divergence, Is.Null);
        Assert.That(result.Edited.Divergence, Is.Positive);
        Assert.That(result.Controls.Select(c => c.Loss).Distinct().Count(), Is.EqualTo(2), "each control draws for itself");

        InterventionResult none = Intervention.Run(_first, EditList.Read(["""{"kind":"steer","points":"hook_embed","direction":[0]}"""]), new InterventionOptions { Controls = 1 });
        Assert.That((none.Edited.Loss, none.Edited.Divergence, none.Controls[0].Loss), Is.EqualTo((none.Plain.Loss, 0.0, none.Plain.Loss)).Within(1e-7), "an edit of no size, and its control");
    }

    /// <summary>The next token's probabilities are those of the generator's model, edited and not.</summary>
    [Test]
    public void ProbabilitiesAreThoseOfTheModelsOwnDistribution()
    {
        const string prompt = "no. 0";
        InterventionResult result = Intervention.Run(_first, EditList.Read(["""{"kind":"steer","points":"hook_logits","direction":[0.5],"at":{"units":[97]}}"""]), new InterventionOptions { Prompt = prompt, Tokens = ['a', 'b'], Controls = 0 });
        using var decoder = new Decoder(_first.Model, 1);
        _ = decoder.Begin(0, _first.Tokenizer.Encode(prompt));
        while (!decoder.HasLogits(0))
        {
            decoder.Run();
        }

        var logits = new float[_first.Config.Model.Vocab];
        decoder.ReadLogits(0, logits);
        double Probability(int token, double more)
        {
            double[] powers = [.. logits.Select((l, v) => Math.Exp(l + (v == 'a' ? more : 0)))];
            return powers[token] / powers.Sum();
        }

        foreach ((int i, int token) in new[] { (0, 'a'), (1, 'b') })
        {
            Assert.That(result.Plain.Probabilities[i], Is.EqualTo(Probability(token, 0)).Within(1e-6));
            Assert.That(result.Edited.Probabilities[i], Is.EqualTo(Probability(token, 0.5)).Within(1e-6));
        }

        Assert.That(result.Tokens.Select(t => t.Text), Is.EqualTo(new[] { "a", "b" }));
        Assert.That(result.Places, Is.EqualTo(prompt.Length - 1));
    }

    [Test]
    public void AControlMovesEachRowAsFarAsTheEdit()
    {
        EditConfig[] edits =
        [
            new SteerConfig { Points = Point, Direction = [.. Enumerable.Range(0, 16).Select(i => i / 8.0)] },
            new AblateConfig { Points = Point, At = new TapPlaces { From = 3 } },
            new ProjectConfig { Points = Point, Directions = [[.. Enumerable.Repeat(1.0, 16)], [1, .. Enumerable.Repeat(0.0, 15)]] },
        ];
        using var task = new PromptTask("no. 007", _first.Tokenizer, maskDocuments: false);
        double[] Values(IEnumerable<ITapEditor> editors)
        {
            var reader = new Collector(Point);
            using var evaluator = new Evaluator(_first.Model, task, new BatchShape(1, task.Count));
            _ = evaluator.Run(new TapSet([reader], editors));
            return reader[Point];
        }

        double[] before = Values([]);
        double[] Steps(double[] after) => [.. before.Zip(after, (x, y) => y - x)];
        double[] Lengths(double[] steps) => [.. steps.Chunk(16).Select(row => Math.Sqrt(row.Sum(v => v * v)))];
        foreach (EditConfig edit in edits)
        {
            using ReadyEdits ready = ReadyEdits.ForWriting(_first, [edit]);
            double[] edited = Steps(Values(ready.Editors)), control = Steps(Values(ready.Controls(7))), again = Steps(Values(ready.Controls(7)));
            Assert.That(control, Is.EqualTo(again), "the same seed");
            Assert.That(control, Is.Not.EqualTo(Steps(Values(ready.Controls(8)))), "another seed");
            if (edit is ProjectConfig)
            {
                // Of a random plane: what is left lies in as many dimensions, and is no longer than before.
                Assert.That(Lengths(control).Zip(Lengths(before)), Is.All.Matches<(double Step, double Whole)>(row => row.Step > 0 && row.Step < row.Whole));
                continue;
            }

            Numbers.AssertClose(Lengths(control), Lengths(edited), 1e-5, edit.Kind);
            Assert.That(control, Is.Not.EqualTo(edited).Within(1e-3));
            double[][] rows = [.. control.Chunk(16).Where(row => row.Any(v => v != 0))];
            double cosine = rows[0].Zip(rows[^1], (a, b) => a * b).Sum() / (Lengths(rows[0])[0] * Lengths(rows[^1])[0]);
            Assert.That(Math.Abs(cosine), edit is SteerConfig ? Is.EqualTo(1).Within(1e-5) : Is.LessThan(0.99), "one direction for all rows where there is one");
        }
    }

    /// <summary>A control of weights moves weights of keys that a query sees, as far as the edit; what is not seen stays 0, and scores of it stay masked.</summary>
    [Test]
    public void AControlOfAPatternShowsNothingThatIsNotSeen([Values("hook_pattern", "hook_attn_scores")] string point)
    {
        string name = $"blocks.0.attn.{point}";
        using var task = new PromptTask("no. 007", _first.Tokenizer, maskDocuments: false);
        using ReadyEdits ready = ReadyEdits.ForWriting(_first, [new AblateConfig { Points = name }]);
        double[] Values(IEnumerable<ITapEditor> editors)
        {
            var reader = new Collector(name);
            using var evaluator = new Evaluator(_first.Model, task, new BatchShape(1, task.Count));
            _ = evaluator.Run(new TapSet([reader], editors));
            return reader[name];
        }

        double[][] before = [.. Values([]).Chunk(task.Count)], after = [.. Values(ready.Controls(7)).Chunk(task.Count)];
        for (int row = 0; row < before.Length; row++)
        {
            int seen = (row % task.Count) + 1;
            Assert.That(after[row][seen..], Is.EqualTo(before[row][seen..]), $"row {row}");
            double moved = Math.Sqrt(after[row][..seen].Zip(before[row], (a, b) => (a - b) * (a - b)).Sum()), size = Math.Sqrt(before[row][..seen].Sum(v => v * v));
            Assert.That(moved, Is.EqualTo(size).Within(1e-5 * Math.Max(1, size)));
        }
    }

    /// <summary>With all that another model had in the last block, the model says what that one says.</summary>
    [Test]
    public void WhatIsTakenOfAnotherModelIsWhatItHadThere()
    {
        string edit = $$"""{"kind":"patch","points":"hook_logits","from":{"model":"{{_rig["second"].Replace("\\", "/")}}"} }""";
        InterventionResult result = Intervention.Run(_first, EditList.Read([edit]), new InterventionOptions { Controls = 1 });
        InterventionResult other = Intervention.Run(_second, EditList.Read(["""{"kind":"steer","points":"hook_embed","direction":[0]}"""]), new InterventionOptions { Controls = 0 });
        Assert.That(result.Edited.Loss, Is.EqualTo(other.Plain.Loss).Within(1e-6).And.Not.EqualTo(result.Plain.Loss).Within(1e-4));
    }

    /// <summary>A whole prompt's stream put into another text makes it end as the prompt does; with a cache as without.</summary>
    [Test]
    public void WhatIsTakenOfAPromptStandsAtItsPositions()
    {
        const string source = "no. 01", target = "xyzxyz";
        EditConfig[] edits = [.. EditList.Read([$$"""{"kind":"patch","points":"hook_embed","from":{"prompt":"{{source}}"} }"""])];
        InterventionResult patched = Intervention.Run(_first, edits, new InterventionOptions { Prompt = target, Tokens = ['1', '2'], Controls = 0 });
        InterventionResult plain = Intervention.Run(_first, edits, new InterventionOptions { Prompt = source, Tokens = ['1', '2'], Controls = 0 });
        Assert.That(patched.Edited.Probabilities, Is.EqualTo(plain.Plain.Probabilities).Within(1e-6));
        Assert.That(plain.Edited.Probabilities, Is.EqualTo(plain.Plain.Probabilities).Within(1e-6), "itself");

        string Text(string prompt, IReadOnlyList<EditConfig> with)
        {
            using ReadyEdits ready = ReadyEdits.ForWriting(_first, with);
            using var generator = new Generator(_first.Model, _first.Tokenizer) { Taps = with.Count > 0 ? new TapSet([], ready.Editors) : null };
            return generator.Generate([prompt], new GenerationConfig { MaxTokens = 2, Temperature = 0 }).Samples[0].Text;
        }

        Assert.That(Text(target, edits), Is.EqualTo(Text(source, [])), "positions after the prompt's end are the model's own");

        // One position of it everywhere: every token is embedded as the prompt's first.
        EditConfig[] one = [.. EditList.Read([$$"""{"kind":"patch","points":"hook_embed","from":{"prompt":"{{source}}","position":0} }"""])];
        InterventionResult same = Intervention.Run(_first, one, new InterventionOptions { Prompt = target, Tokens = ['1'], Controls = 0 });
        InterventionResult ns = Intervention.Run(_first, one, new InterventionOptions { Prompt = "nnnnnn", Tokens = ['1'], Controls = 0 });
        Assert.That(same.Edited.Probabilities[0], Is.EqualTo(ns.Plain.Probabilities[0]).Within(1e-6));
    }

    /// <summary>A model that writes takes means and other places of what its run held back.</summary>
    [Test]
    public void AblationsOfWritingTakeWhatWasHeldBack()
    {
        using SurveyData data = SurveyData.Open(_first.Config, _first.Tokenizer, new SurveyOptions { Measures = [] }, null, default);
        var held = new Collector(Point);
        using (var evaluator = new Evaluator(_first.Model, data.Task, new BatchShape(1, data.Context), Intervention.Rows(data, null, 1 << 12).Rows))
        {
            _ = evaluator.Run(new TapSet([held]));
        }

        double[][] places = [.. held.Read.SelectMany(read => read.Values.Chunk(16))];
        using var task = new PromptTask("no. 007", _first.Tokenizer, maskDocuments: false);
        double[][] Values(AblationKind mode)
        {
            using ReadyEdits ready = ReadyEdits.ForWriting(_first, [new AblateConfig { Points = Point, Mode = mode }]);
            var reader = new Collector(Point);
            using var evaluator = new Evaluator(_first.Model, task, new BatchShape(1, task.Count));
            _ = evaluator.Run(new TapSet([reader], ready.Editors));
            using var generator = new Generator(_first.Model, _first.Tokenizer) { Taps = new TapSet([], ready.Editors) };
            Assert.That(generator.Generate(["no"], new GenerationConfig { MaxTokens = 2 }).Samples[0].TokenIds, Has.Count.EqualTo(2), "with a cache");
            return [.. reader[Point].Chunk(16)];
        }

        double[] mean = [.. Enumerable.Range(0, 16).Select(i => places.Average(place => place[i]))];
        Assert.That(Values(AblationKind.Mean), Is.All.EqualTo(mean).Within(1e-4));
        double[][] drawn = Values(AblationKind.Resample);
        for (int t = 0; t < drawn.Length; t++)
        {
            Assert.That(places.Where((_, i) => i % 8 == t).Any(place => place.Zip(drawn[t], (a, b) => Math.Abs(a - b)).Max() < 1e-5), Is.True, $"position {t}");
        }
    }

    [Test]
    public void TheVerbTellsChangesBesideThoseOfControls()
    {
        JsonObject json = CommandLine.Json("intervene", "--model", _rig["first"], "--prompt", "no. 01", "--edit", """[{"kind":"ablate","points":"blocks.*.hook_mlp_out"}]""", "--controls", "3", "--token", "1", "--token", "#50");
        JsonNode input = json["inputs"]![0]!, loss = input["loss"]!;
        Assert.That((double)loss["change"]!, Is.EqualTo((double)loss["edited"]! - (double)loss["plain"]!).Within(1e-12));
        double[] controls = [.. loss["controls"]!.AsArray().Select(c => (double)c!)];
        Assert.That((double)loss["controlChange"]!, Is.EqualTo(controls.Average() - (double)loss["plain"]!).Within(1e-12));
        Assert.That(controls, Has.Length.EqualTo(3));
        Assert.That(input["tokens"]!.AsArray().Select(t => ((int)t!["id"]!, (string)t["text"]!)), Is.EqualTo(new[] { ((int)'1', "1"), (50, "2") }));
        Assert.That((string)json["edits"]![0]!["kind"]!, Is.EqualTo("ablate"));

        CommandLine table = CommandLine.Run("intervene", "--model", _rig["first"], "--edit", """{"kind":"ablate","points":"blocks.1.hook_mlp_out"}""", "--rows", "4", "--controls", "2");
        Assert.That(table.Code, Is.Zero, table.Error);
        Assert.That(table.Standard.Split('\n')[0], Does.EndWith("4 rows, 32 places with a target"));
        Assert.That(table.Standard.Split('\n').Select(line => line.Length).Max(), Is.LessThanOrEqualTo(80));
    }

    [Test]
    public void EachPointCanBeEditedByItself()
    {
        JsonObject Of(string points, params string[] more) => CommandLine.Json(["intervene", "--model", _rig["first"], "--rows", "4", "--controls", "1", "--edit", $$"""{"kind":"ablate","points":"{{points}}"}""", .. more]);
        JsonArray points = Of("blocks.*.hook_mlp_out", "--each")["inputs"]![0]!["points"]!.AsArray();
        Assert.That(points.Select(point => (string)point!["point"]!), Is.EqualTo(new[] { "blocks.0.hook_mlp_out", "blocks.1.hook_mlp_out" }));
        Assert.That(points[1]!["loss"]!.ToJsonString(), Is.EqualTo(Of("blocks.1.hook_mlp_out")["inputs"]![0]!["loss"]!.ToJsonString()));
        CommandLine table = CommandLine.Run("intervene", "--model", _rig["first"], "--rows", "4", "--each", "--edit", """{"kind":"ablate","points":"blocks.*.hook_mlp_out"}""");
        Assert.That(table.Standard.Split('\n').Skip(1).Select(line => line.Length).Max(), Is.InRange(50, 80));
    }

    [TestCase("{\"kind\":\"ablate\",\"points\":\"blocks.0.hook_mlp_oot\"}", "--edit.0.points: 'blocks.0.hook_mlp_oot' matches no point of the model; did you mean 'blocks.0.hook_mlp_out'?")]
    [TestCase("{\"kind\":\"ablat\",\"points\":\"hook_embed\"}", "--edit.0: unknown kind \"ablat\", did you mean \"ablate\"?; known: ablate, steer, patch, project")]
    [TestCase("{\"kind\":\"ablate\",\"points\":\"blocks.0.ln1.hook_scale\"}", "--edit.0.points: blocks.0.ln1.hook_scale can be read, not edited; nothing uses its value")]
    [TestCase("{\"kind\":\"ablate\",\"points\":\"hook_embed.grad\"}", "--edit.0.points: \"hook_embed.grad\" are gradients, which can be read and not edited")]
    [TestCase("{\"kind\":\"steer\",\"points\":\"hook_embed\",\"direction\":[1,1e30],\"strength\":1e10}", "--edit.0.direction.1: 1E+40 is more than single precision holds")]
    [TestCase("{\"kind\":\"patch\",\"points\":\"hook_embed\",\"from\":{\"prompt\":\"x\"}}", "--edit from.prompt: has 1 tokens; at least 2 are needed")]
    [TestCase("{\"kind\":\"patch\",\"points\":\"hook_embed\",\"from\":{}}", "--edit.0.from: says nothing; give a model, a prompt, a position, or several of them")]
    [TestCase("{\"kind\":\"ablate\",\"points\":\"hook_embed\",\"at\":{\"from\":3,\"before\":2}}", "--edit.0.at.before: 2 is not after from = 3, so that there is no place")]
    [TestCase("{\"kind\":\"project\",\"points\":\"hook_embed\",\"directions\":[[0,0]]}", "--edit.0.directions: are all 0; they span nothing")]
    [TestCase("{\"kind\":\"patch\",\"points\":\"hook_embed\",\"from\":{\"model\":\"nowhere\"}}", "nowhere: there is no such run or checkpoint")]
    [TestCase("ablate", "--edit ablate: is no JSON")]
    [TestCase("@nowhere.json", "--edit @nowhere.json: cannot be read")]
    public void WhatIsWrongWithAnEditIsSaid(string edit, string message)
    {
        CommandLine run = CommandLine.Run("intervene", "--model", _rig["first"], "--edit", edit);
        Assert.That(run.Code, Is.Not.Zero);
        Assert.That(run.ErrorLines.Single(), Does.StartWith($"nanofold: {message}"));
    }

    [Test]
    public void TextIsWrittenWithEdits()
    {
        JsonObject json = CommandLine.Json("generate", "--model", _rig["first"], "--prompt", "no", "--max-tokens", "4", "--edit", """{"kind":"steer","points":"hook_logits","direction":[1000],"at":{"units":[120]}}""");
        Assert.That((string)json["samples"]![0]!["text"]!, Is.EqualTo("xxxx"));
        // Of the places of a prompt the last one alone goes on to the head.
        JsonObject taken = CommandLine.Json("generate", "--model", _rig["first"], "--prompt", "no. 00", "--max-tokens", "1", "--temperature", "0", "--edit", """{"kind":"patch","points":"hook_logits","from":{"prompt":"xyzxyz"}}""");
        JsonObject asked = CommandLine.Json("generate", "--model", _rig["first"], "--prompt", "xyzxyz", "--max-tokens", "1", "--temperature", "0");
        Assert.That((string)taken["samples"]![0]!["text"]!, Is.EqualTo((string)asked["samples"]![0]!["text"]!));
        CommandLine refused = CommandLine.Run("generate", "--model", _rig["first"], "--prompt", "no", "--edit", """{"kind":"ablate","points":"blocks.0.attn.hook_pattern","mode":"mean"}""");
        Assert.That(refused.ErrorLines[^1], Is.EqualTo("nanofold: tap blocks.0.attn.hook_pattern: cannot be edited while decoding with a cache"));
        Assert.That(refused.Standard, Is.Empty, "before anything is written");
        Assert.That(Configuration.Configs.Problems("""model.edits=[{"kind":"patch","points":"hook_embed","from":{"prompt":"a"}}]"""),
            Is.EqualTo(new[] { "model.edits.0.from: takes values of another run, which a model does not have for its own; give the edit to intervene or generate" }));
    }
}
