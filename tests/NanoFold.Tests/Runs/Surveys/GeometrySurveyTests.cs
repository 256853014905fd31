using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Runs.Surveys;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs.Surveys;

/// <summary>A run that is measured after training: what is written, and that it is of what it says.</summary>
[NonParallelizable]
public class GeometrySurveyTests
{
    private TrainRig _rig = null!;

    [OneTimeSetUp]
    public void Train()
    {
        _rig = new TrainRig();
        _rig.Train("run", "train.keepCheckpoints=9", "geometry.enabled=true", "geometry.every=12", "geometry.probeTokens=64", "geometry.neighborTokens=40", "geometry.measures=norms,cka");
    }

    [OneTimeTearDown]
    public void Clean() => _rig.Dispose();

    [Test]
    public void FiguresOfTheLastStepAreThoseOfTheRun()
    {
        SurveyResult result = Survey("out", Options("norms,cka,drift"));
        Assert.That(result.Checkpoints.Select(one => (one.Name, one.Step)), Is.EqualTo(new[] { ("step-000005", 5L), ("step-000010", 10L), ("step-000012", 12L) }));
        JsonElement[] lines = Lines("out");
        Assert.That(result.Lines, Is.EqualTo(lines.Length));
        string[] keys = [.. lines[0].EnumerateObject().Select(property => property.Name)];
        Assert.That(keys, Is.EqualTo(new[] { "version", "step", "measure", "figure", "scope", "point", "layer", "value", "status", "settings", "n", "control" }));
        Assert.That((lines[0].GetProperty("version").GetInt32(), Text(lines[0], "status"), Text(lines[0], "control")), Is.EqualTo((3, "Ok", "none")));

        var compared = 0;
        foreach (JsonElement trained in JsonLinesLog.Read(Path.Combine(_rig["run"], "geometry.jsonl")))
        {
            foreach (JsonProperty figure in trained.GetProperty("figures").EnumerateObject())
            {
                JsonElement line = lines.Single(l => Text(l, "measure") == Text(trained, "measure") && Text(l, "figure") == figure.Name && Text(l, "point") == Text(trained, "point")
                    && l.GetProperty("step").GetInt64() == 12 && Text(l, "control") == "none");
                Assert.That(line.GetProperty("value").GetDouble(), Is.EqualTo(figure.Value.GetProperty("value").GetDouble()), $"{figure.Name}");
                Assert.That((line.GetProperty("n").GetInt64(), Text(line, "settings")), Is.EqualTo((figure.Value.GetProperty("points").GetInt64(), Text(figure.Value, "estimator"))));
                compared++;
            }
        }

        Assert.That(compared, Is.EqualTo((2 * 3) + (2 * 2)));
        // Of the first there is nothing before; controls have none.
        Assert.That(lines.Where(l => Text(l, "measure") == "drift" && Text(l, "figure") == "steps").Select(l => (l.GetProperty("step").GetInt64(), l.GetProperty("value").GetDouble())).Distinct(),
            Is.EqualTo(new[] { (10L, 5.0), (12L, 2.0) }));
    }

    [Test]
    public void ControlsAreTheUntrainedModelShuffledTokensAndGaussians()
    {
        var contexts = new ContextMeasure { Word = "b", First = _rig.Write("first.txt", "a b\nc b\n"), Second = _rig.Write("second.txt", "d b\ne b\n") };
        SurveyOptions options = Options("norms,spectrum,updates,weight-norms");
        Survey("controls", options with { Measures = [.. options.Measures, contexts], Checkpoints = "last", Controls = [SurveyControl.Untrained, SurveyControl.Shuffled, SurveyControl.Gaussian] });
        JsonElement[] lines = Lines("controls");
        string[] Of(string measure) => [.. lines.Where(l => Text(l, "measure") == measure).Select(l => Text(l, "control")).Distinct()];
        Assert.That(Of("norms"), Is.EqualTo(new[] { "none", "gaussian", "untrained", "shuffled" }));
        Assert.That(Of("updates"), Is.EqualTo(new[] { "none", "untrained", "shuffled" }));
        Assert.That(Of("weight-norms"), Is.EqualTo(new[] { "none", "untrained" }));
        Assert.That(Of("contexts"), Is.EqualTo(new[] { "none", "untrained" }), "their text is their own");
        double Value(string figure, string control) => lines.Single(l => Text(l, "figure") == figure && Text(l, "point") == "blocks.1.hook_resid_post" && Text(l, "control") == control).GetProperty("value").GetDouble();
        // A Gaussian of 56 points has about the variance of the points; the untrained model is step 0.
        Assert.That(Value("totalVariance", "gaussian"), Is.EqualTo(Value("totalVariance", "none")).Within(40).Percent.And.Not.EqualTo(Value("totalVariance", "none")));
        Assert.That(Value("norm", "untrained"), Is.Not.EqualTo(Value("norm", "none")).Within(1e-3));
        Assert.That(Value("norm", "shuffled"), Is.EqualTo(Value("norm", "none")).Within(20).Percent.And.Not.EqualTo(Value("norm", "none")));
        Assert.That(lines.Where(l => Text(l, "control") == "untrained").Select(l => l.GetProperty("step").GetInt64()).Distinct(), Is.EqualTo(new[] { 0L }));
    }

    /// <summary>Where a table would have more than a dozen rows, the least, median and largest of its figures.</summary>
    [Test]
    public void LongTablesAreToldInShort()
    {
        CommandLine run = CommandLine.Run("geometry", "--model", _rig["run"], "--measures", "weight-change", "--controls", "none", "--out", _rig["long"], "--device", "cpu", "--threads", "1");
        Assert.That(run.Code, Is.Zero, run.Error);
        JsonElement[] lines = [.. Lines("long").Where(l => l.GetProperty("step").GetInt64() == 12 && Text(l, "figure") == "relativeChange")];
        string first = Text(lines[0], "other");
        double[] changes = [.. lines.Where(l => Text(l, "other") == first).Select(l => l.GetProperty("value").GetDouble()).Order()];
        Assert.That(changes, Has.Length.GreaterThan(12).And.Length.Not.EqualTo(lines.Length));
        double Told(string name) => double.Parse(
            run.Standard.Split('\n').Single(line => line.StartsWith($"{name} of {changes.Length} ", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[3], CultureInfo.InvariantCulture);
        double middle = (changes[(changes.Length - 1) / 2] + changes[changes.Length / 2]) / 2;
        Assert.That((Told("least"), Told("median"), Told("largest")), Is.EqualTo((changes[0], middle, changes[^1])).Within(6e-4), "three decimals are shown");
    }

    [Test]
    public void DumpedActivationsHaveTheFiguresThatWereMeasured()
    {
        JsonObject result = CommandLine.Json(
            "geometry", "--model", _rig["run"], "--checkpoints", "12", "--measures", "norms", "--controls", "none", "--dump", "blocks.1.hook_resid_p*", "--out", _rig["dump"], "--threads", "1");
        Assert.That(result["files"]!.AsArray().Select(file => Path.GetFileName(file!.GetValue<string>())), Is.EqualTo(new[] { "geometry.jsonl", "geometry.npz", "dump-step-000012.safetensors", "dump-step-000012.npz" }));
        using NpzReader npz = NpzReader.Open(Path.Combine(_rig["dump"], "dump-step-000012.npz"));
        (int[] shape, double[] stream) = npz.Read("blocks.1.hook_resid_post")!.Value;
        double[] points = npz.Read("rows/points")!.Value.Values, tokens = npz.Read("tokens")!.Value.Values;
        Assert.That(shape, Is.EqualTo(new[] { 8, 8, 16 }));
        double mean = points.Average(row => Math.Sqrt(stream.AsSpan((int)row * 16, 16).ToArray().Sum(v => v * v)));
        Assert.That(Lines("dump").Single(l => Text(l, "figure") == "norm" && l.GetProperty("layer").GetInt32() == 1).GetProperty("value").GetDouble(), Is.EqualTo(mean).Within(1e-5).Percent);
        Assert.That(npz.Names, Does.Contain("blocks.1.hook_resid_pre").And.Contain("text").And.Contain("labels/position"));

        using SafeTensorsFile tensors = SafeTensorsFile.Open(Path.Combine(_rig["dump"], "dump-step-000012.safetensors"));
        string[] texts = JsonSerializer.Deserialize<string[]>(tensors.Metadata["text"])!;
        Assert.That(string.Concat(texts), Is.EqualTo(string.Concat(tokens.Select(token => (char)token))));
        Assert.That(tensors.Find("blocks.1.hook_resid_post")!.Shape, Is.EqualTo(new[] { 8L, 8, 16 }));
    }

    [Test]
    public void ArraysStandBesideTheFiguresThatAreMadeOfThem()
    {
        Survey("arrays", Options("twonn,gride,spectrum") with { Checkpoints = "5,12", Controls = [SurveyControl.Shuffled] });
        using NpzReader npz = NpzReader.Open(Path.Combine(_rig["arrays"], "geometry.npz"));
        Assert.That(npz.Names.Where(name => name.EndsWith("/ratios", StringComparison.Ordinal)), Is.EqualTo(new[]
        {
            "twonn/blocks.0.hook_resid_post/5/ratios", "twonn/blocks.1.hook_resid_post/5/ratios", "twonn/blocks.0.hook_resid_post/12/ratios", "twonn/blocks.1.hook_resid_post/12/ratios",
            "twonn/blocks.0.hook_resid_post/12/shuffled/ratios", "twonn/blocks.1.hook_resid_post/12/shuffled/ratios",
        }));
        JsonElement Figure(string figure) => Lines("arrays").Single(l => Text(l, "figure") == figure && Text(l, "point") == "blocks.1.hook_resid_post" && l.GetProperty("step").GetInt64() == 12 && Text(l, "control") == "none");
        const string At = "blocks.1.hook_resid_post/12";
        double[] eigenvalues = npz.Read($"spectrum/{At}/eigenvalues")!.Value.Values, mu = npz.Read($"twonn/{At}/ratios")!.Value.Values;
        Assert.That(eigenvalues, Has.Length.EqualTo(16).And.Ordered.Descending);
        Assert.That(Figure("totalVariance").GetProperty("value").GetDouble(), Is.EqualTo(eigenvalues.Sum()).Within(1e-9).Percent);
        (int[] shape, double[] distances) = npz.Read($"twonn/{At}/distances")!.Value;
        // As many as are kept, however many other measures search.
        Assert.That(shape[1], Is.EqualTo(8));
        Assert.That(shape[0], Is.EqualTo(mu.Length).And.EqualTo(npz.Read($"twonn/{At}/rows")!.Value.Values.Length));
        Assert.That(mu, Is.EqualTo(Enumerable.Range(0, mu.Length).Select(i => distances[(i * shape[1]) + 1] / distances[i * shape[1]])));
        // The maximum likelihood of two neighbors is GRIDE's at rank 2.
        Assert.That(Figure("dimension.2").GetProperty("value").GetDouble(), Is.EqualTo((mu.Length - 1) / mu.Sum(Math.Log)).Within(1e-6).Percent);
    }

    [Test]
    public void LabelsAreOfTheTokensThatTheyName()
    {
        string labels = _rig.Write("labels.tsv", "byte\tkind\n0\tletter\n1\tletter\n2\tpoint\n3\t\n");
        var seen = new List<LabelColumn>();
        Survey("labels", Options("norms") with { Measures = [new Seeing(seen)], Prompt = "no. 7", Labels = labels, Checkpoints = "last" });
        Assert.That(seen.Select(column => column.Name).Distinct(), Is.EqualTo(new[] { "token", "next", "position", "kind" }));
        LabelColumn kind = seen.First(column => column.Name == "kind"), token = seen.First(column => column.Name == "token"), next = seen.First(column => column.Name == "next");
        Assert.That(kind.Classes, Is.EqualTo(new[] { "letter", "point" }));
        Assert.That(token.Values.Zip(kind.Values).Select(pair => ((char)pair.First, pair.Second)), Is.EquivalentTo(new[] { ('n', 0), ('o', 0), ('.', 1), (' ', -1), ('7', -1) }));
        Assert.That(token.Values.Zip(next.Values).Select(pair => (char)pair.First + (pair.Second < 0 ? "" : $"{(char)pair.Second}")), Is.EquivalentTo(new[] { "no", "o.", ". ", " 7", "7" }));
    }

    [Test]
    public void TwoCheckpointsAndTwoRunsAreCompared()
    {
        var seen = new List<string>();
        // With what looks at the time before, too.
        SurveyOptions options = Options("norms") with { Measures = [new Comparing(seen), new DriftMeasure()] };
        Survey("pairs", options);
        Assert.That(seen, Is.EqualTo(new[] { "step-000005 step-000012 3 True", "step-000010 step-000012 3 True" }));
        Assert.That(Lines("pairs").Where(l => Text(l, "measure") == "comparing").Select(l => (Text(l, "scope"), Text(l, "other"), l.GetProperty("step").GetInt64())), Is.EqualTo(new[] { ("checkpoints", "step-000005", 12L), ("checkpoints", "step-000010", 12L) }));

        seen.Clear();
        Survey("all", options with { Measures = [new Comparing(seen) { AllPairs = true }] });
        Assert.That(seen, Is.EqualTo(new[] { "step-000005 step-000012 3 True", "step-000005 step-000010 3 True", "step-000010 step-000012 3 True" }));

        seen.Clear();
        Survey("against", options with { Against = _rig.Checkpoint("run", 5), Checkpoints = "10" });
        Assert.That(seen, Is.EqualTo(new[] { "step-000005/step-000005 step-000010 3 True" }));
    }

    [Test]
    public void EndedOnTheWayItLeavesWhatWasThereBefore()
    {
        Survey("ended", Options("norms") with { Checkpoints = "last" });
        byte[] before = File.ReadAllBytes(Path.Combine(_rig["ended"], "geometry.jsonl"));
        using var cancel = new CancellationTokenSource();
        using var backend = new CpuBackend(1);
        // After the first of three checkpoints.
        using GeometrySurvey survey = GeometrySurvey.Open(_rig["run"], Options("norms,twonn") with { Dump = "hook_embed" }, backend, _ => cancel.Cancel(), cancel.Token);
        Assert.That(() => survey.Run(_rig["ended"]), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(() => survey.Run(_rig["never"]), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(Directory.GetFiles(_rig["ended"]).Select(Path.GetFileName), Is.EquivalentTo(new[] { "geometry.jsonl", "geometry.npz" }));
        Assert.That(File.ReadAllBytes(Path.Combine(_rig["ended"], "geometry.jsonl")), Is.EqualTo(before));
        Assert.That(Directory.Exists(_rig["never"]), Is.False);
    }

    [Test]
    public void WhatTheDeviceCannotComputeInIsMeasuredInFp32AndSaid()
    {
        _rig.Train("half", "train.steps=1");
        _rig.MakeOlder("half", 1);
        string config = _rig.Checkpoint("half", 1, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"precision\": \"fp32\"", "\"precision\": \"fp16\"", StringComparison.Ordinal));
        var notes = new List<string>();
        using var backend = new CpuBackend(1);
        double Norm(string name, string model)
        {
            using GeometrySurvey survey = GeometrySurvey.Open(model, Options("norms") with { Checkpoints = "last" }, backend, notes.Add);
            return survey.Run(_rig[name]).Latest[0].Measured.Figures[0].Value!.Value;
        }

        double half = Norm("out-half", _rig.Checkpoint("half", 1));
        Assert.That(notes[0], Does.EndWith($"was trained in fp16, which {backend.Name} does not compute; measured in fp32"));
        notes.Clear();
        _rig.Train("whole", "train.steps=1");
        Assert.That(Norm("out-whole", _rig["whole"]), Is.EqualTo(half));
        Assert.That(notes, Has.Count.EqualTo(1).And.All.Contains("measured in"));
        Assert.That(notes[0], Does.Not.Contain("fp32"));
    }

    [Test]
    public void WhatIsNotFiniteHasNoValue()
    {
        _rig.Train("huge", "train.steps=1");
        _rig.MakeOlder("huge", 1);
        SurveyOptions options = Options("all") with { Tokens = 64, Neighbors = 40, Controls = [SurveyControl.Gaussian] };
        // Sums of these are infinite, or their difference.
        Fill("huge", "model.layers.0.mlp.down_proj.weight", index => index % 3 == 0 ? -3e38f : 3e38f);
        Survey("not-finite", options, _rig.Checkpoint("huge", 1));
        (string?, JsonValueKind, string)[] Of(string measure, string point) =>
        [
            .. Lines("not-finite").Where(l => Text(l, "measure") == measure && l.TryGetProperty("point", out JsonElement p) && p.GetString() == point && Text(l, "control") == "none")
                .Select(l => (l.GetProperty("figure").GetString(), l.GetProperty("value").ValueKind, Text(l, "status"))),
        ];
        Assert.That(Of("norms", "blocks.0.hook_resid_post"), Does.Contain(("norm", JsonValueKind.Null, "NotFinite")));
        Assert.That(Of("twonn", "blocks.1.hook_resid_post"), Does.Contain(("dimension", JsonValueKind.Null, "NotFinite")));
        Assert.That(Of("weight-norms", "model.layers.1.mlp.up_proj.weight"), Is.Not.Empty.And.All.Matches<(string?, JsonValueKind, string)>(line => line is (_, JsonValueKind.Number, "Ok")));

        Fill("huge", "model.layers.0.mlp.down_proj.weight", _ => float.NaN);
        Assert.That(() => Survey("none", options, _rig.Checkpoint("huge", 1)), Throws.InstanceOf<UserException>().With.Message.EndsWith("is damaged: 'model.layers.0.mlp.down_proj.weight' has values that are not finite"));
        Assert.That(Directory.Exists(_rig["none"]), Is.False);
    }

    [Test]
    public void ModelsThatCannotBeComparedAreOneLine()
    {
        _rig.Train("wide", "train.steps=1", "model.width=24");
        _rig.Train("short", "train.steps=1", "model.context=4");
        string Refused(string other) => Assert.Throws<UserException>(() => Survey("none", Options("weight-change") with { Against = _rig[other] }))!.Message;
        Assert.That(Refused("wide"), Does.Contain("has 2 layers, width 24 and a vocabulary of 256;").And.Contain("has 2, 16 and 256; two models are compared on the same tokens"));
        Assert.That(Refused("short"), Does.Contain("its context is 4, and windows are of 8 tokens; exchange the two: --model"));
        Assert.That(Directory.Exists(_rig["none"]), Is.False);
    }

    [TestCase("--model is needed", "--measures", "norms")]
    [TestCase("unknown kind \"nroms\", did you mean \"norms\"?", "--model", "RUN", "--measures", "nroms")]
    [TestCase("--checkpoints 7: RUN has no checkpoint of step 7; there are 5, 10, 12", "--model", "RUN", "--checkpoints", "7")]
    [TestCase("--dump 'blocks.9.*' matches no point of the model", "--model", "RUN", "--dump", "blocks.9.*")]
    [TestCase("--data, --prompt and --task: a model is measured on one of them at a time", "--model", "RUN", "--data", "x", "--prompt", "y")]
    [TestCase("the run was trained on text; name another text with --data", "--model", "RUN", "--task", "recall")]
    [TestCase("--labels: are of a text; name it with --data or --prompt", "--model", "RUN", "--labels", "RUN/config.json/../labels.txt")]
    [TestCase("--prompt: has 20 tokens, the model's context is 8", "--model", "RUN", "--prompt", "abcdefghijklmnopqrst")]
    [TestCase("--measures and --preset: give one of them", "--model", "RUN", "--measures", "norms", "--preset", "full")]
    [TestCase("RUN/checkpoints/step-000010 is a checkpoint itself; name its run", "--model", "RUN/checkpoints/step-000010", "--checkpoints", "5")]
    [TestCase("--against: none of the measures compares checkpoints", "--model", "RUN", "--measures", "norms", "--against", "RUN")]
    [TestCase("--measures: weight-change: compare checkpoints, and there is one; name another run with --against", "--model", "RUN", "--measures", "weight-change", "--checkpoints", "last")]
    public void WhatCannotBeMeasuredIsOneLine(string expected, params string[] arguments)
    {
        _rig.Write("labels.txt", "token\tkind\n0\ta\n");
        CommandLine run = CommandLine.Run(["geometry", .. arguments.Select(argument => argument.Replace("RUN/config.json/../", _rig["."] + "/", StringComparison.Ordinal).Replace("RUN", _rig["run"], StringComparison.Ordinal)), "--out", _rig["none"]]);
        Assert.That(run.Code, Is.Not.Zero);
        Assert.That(run.Error, Does.Contain(expected.Replace("RUN", _rig["run"], StringComparison.Ordinal)));
        Assert.That(run.ErrorLines, Has.Length.EqualTo(1));
        Assert.That(Directory.Exists(_rig["none"]), Is.False);
    }

    [Test]
    public void PointsAreListedWithTheirShapes()
    {
        JsonObject listed = CommandLine.Json("geometry", "--model", _rig["run"], "--list");
        Assert.That(listed["points"]!.AsArray().Select(point => $"{point!["name"]}: {point["shape"]}"), Does.Contain("blocks.1.hook_resid_post: B T C").And.Contain("hook_logits: B T V"));
    }

    private static string Text(JsonElement line, string key) => line.GetProperty(key).GetString()!;

    private static SurveyOptions Options(string measures) => new() { Measures = MeasureChoice.Parse(measures) };

    private SurveyResult Survey(string folder, SurveyOptions options, string? model = null)
    {
        using var backend = new CpuBackend(1);
        using GeometrySurvey survey = GeometrySurvey.Open(model ?? _rig["run"], options, backend, _ => { });
        return survey.Run(_rig[folder]);
    }

    // Puts other values in place of a tensor of the checkpoint of step 1.
    private void Fill(string run, string name, Func<int, float> value)
    {
        string path = _rig.Checkpoint(run, 1, ModelFile.Name);
        byte[] bytes = File.ReadAllBytes(path);
        int header = (int)BitConverter.ToInt64(bytes) + sizeof(long);
        JsonArray offsets = JsonNode.Parse(bytes.AsSpan(sizeof(long), header - sizeof(long)))![name]!["data_offsets"]!.AsArray();
        Span<float> values = MemoryMarshal.Cast<byte, float>(bytes.AsSpan((header + (int)offsets[0]!)..(header + (int)offsets[1]!)));
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = value(i);
        }

        File.WriteAllBytes(path, bytes);
    }

    private JsonElement[] Lines(string folder) => [.. JsonLinesLog.Read(Path.Combine(_rig[folder], "geometry.jsonl"))];

    private sealed record Seeing(List<LabelColumn> Seen) : PointMeasure
    {
        public override string Kind => "seeing";

        public override string Legend => "";

        public override double Work(in ProbeShape shape, int width) => 1;

        public override void Take(PointCloud cloud, FigureWriter figures) => Seen.AddRange(cloud.Rows.Labels);
    }

    private sealed record Comparing(List<string> Seen) : CheckpointMeasure
    {
        public override string Kind => "comparing";

        public override string Legend => "";

        public override void Take(CheckpointSample first, CheckpointSample second, FigureWriter figures)
        {
            // The streams are those of their own weights.
            bool differ = first.Network.Model != second.Network.Model && !first.Streams[^1].Values.SequenceEqual(second.Streams[^1].Values) && first.Streams.All(stream => stream.Width == 16);
            Seen.Add($"{first.Name} {second.Name} {first.Streams.Count} {differ}");
            figures.Add("one", 1, default, "once", 1);
        }
    }
}
