using System.Text.Json.Nodes;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Interchange.Exports;
using NanoFold.Engine.Interchange.Peft;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Exports;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Published;
using PublishedArchitecture = NanoFold.Engine.Interchange.HuggingFace.Architectures.Architecture;

namespace NanoFold.Tests.Modules;

/// <summary>Every adapter that peft saved: read, computed, trained, merged and written again.</summary>
[Category("Published")]
public class PublishedAdapterTests : EngineTests
{
    private const string Folder = "peers/adapters";
    private const int B = 3, T = 14;

    private static IEnumerable<string> Names => SharedData.Cases(Folder).Where(name => !name.StartsWith("base", StringComparison.Ordinal));

    [TestCaseSource(nameof(Names))]
    public void LogitsMatricesLossAndGradientsAreThoseOfPeft(string name)
    {
        var agreement = new CaseAgreement("adapters", name);
        using SafeTensorsFile expected = Expected(name);
        SavedModel saved = SavedModel.Open(SharedData.Path($"{Folder}/{name}"));
        using Transformer model = Load(saved), merged = MergedModel.Of(model);
        int[] tokens = Tokens(expected);
        agreement.Close(Logits(model, tokens), SharedData.Reals(expected, "logits_adapter"), 2e-5, "logits");
        Assert.That(merged.Adapters, Is.Null);
        agreement.Close(Logits(merged, tokens), SharedData.Reals(expected, "logits_merged"), 2e-5, "merged");
        AssertMatrices(agreement, merged, expected, saved);

        // The last token of a sequence has no target.
        int[] targets = [.. tokens.Select((_, i) => i % T == T - 1 ? -1 : tokens[i + 1])];
        var owned = new List<IDisposable>();
        var training = new Tape(Backend(), training: true);
        training.State.Set(StepSlot.TargetCount, (long)(B * (T - 1)));
        Tensor loss = model.RecordLoss(
            training, training.External("tokens", Host.New(Backend(), [B, T], tokens, owned)), training.External("targets", Host.New(Backend(), [B, T], targets, owned))).Loss;
        training.Keep(loss);
        Backend().Fill(model.Store.AllGradients, 0);
        agreement.Near(Run(training, loss, owned)[0], SharedData.Reals(expected, "loss")[0], 1e-5, "loss");

        // Of each tensor as it is written: what is joined there is joined of ours. A and B of a pair have the gradients of their own, which a scale of the other's does not change.
        var written = new PeftWriter(Own(saved, model, parameter => Host.Gradient(model.Store, parameter)));
        string[] trained = [.. expected.Tensors.Select(tensor => tensor.Name).Where(tensor => tensor.StartsWith("grad.", StringComparison.Ordinal))];
        Assert.That(written.Tensors.Select(tensor => $"grad.{PeftFolder.Prefix}{tensor.Name}"), Is.EquivalentTo(trained));
        foreach ((string tensor, _, Func<float[]> values) in written.Tensors)
        {
            agreement.Close(Array.ConvertAll(values(), v => (double)v), SharedData.Reals(expected, $"grad.{PeftFolder.Prefix}{tensor}"), 1e-4, "gradients", tensor);
        }

        owned.ForEach(o => o.Dispose());
        agreement.Record();
    }

    [TestCaseSource(nameof(Names))]
    public void TenStepsOfTrainingHaveTheLossesOfPeft(string name)
    {
        var agreement = new CaseAgreement("adapters", name);
        using SafeTensorsFile expected = Expected(name);
        using Transformer model = Load(SavedModel.Open(SharedData.Path($"{Folder}/{name}")));
        var losses = new double[11];
        expected.Read("adamw_losses", losses.AsSpan());
        var config = new TrainConfig
        {
            Batch = B, Steps = 11, Warmup = 0, Schedule = ScheduleKind.Constant, LearningRate = 1e-3, WeightDecay = 0, Clip = 0,
            Optimizer = new AdamWConfig { Beta1 = 0.9, Beta2 = 0.95, Epsilon = 1e-8 },
        };
        using var trainer = new Trainer(model, config, new OneBatch(Tokens(expected)));
        for (int step = 0; step < losses.Length; step++)
        {
            agreement.Near(trainer.Step(step).Loss, losses[step], step == 0 ? 1e-5 : 1e-4, "losses of ten steps", $"step {step}");
        }

        agreement.Record();
    }

    [TestCaseSource(nameof(Names))]
    public void WhatIsWrittenAgainIsTheSame(string name)
    {
        using var folder = new TemporaryFolder();
        string source = SharedData.Path($"{Folder}/{name}");
        SavedModel saved = SavedModel.Open(source);
        using TrainedModel trained = TrainedModel.Load(source, Backend());
        ModelExport.Run(trained, ExportFormat.All.Single(format => format.Name == "peft"), null, folder["out"]);
        using SafeTensorsFile before = SafeTensorsFile.Open(Path.Combine(source, PeftFolder.WeightsFile)), after = SafeTensorsFile.Open(folder[$"out/{PeftFolder.WeightsFile}"]);

        // The table that peft adds beside an adapter of the embedding is the base's own.
        Assert.That(after.Tensors.Select(t => t.ToString()), Is.EquivalentTo(before.Tensors.Where(t => !t.Name.EndsWith("base_layer.weight", StringComparison.Ordinal)).Select(t => t.ToString())));
        foreach (SafeTensorInfo tensor in after.Tensors)
        {
            Assert.That(SharedData.Reals(after, tensor.Name), Is.EqualTo(SharedData.Reals(before, tensor.Name)), tensor.Name);
        }

        JsonObject theirs = Settings(source), ours = Settings(folder["out"]);
        foreach (string key in new[] { "r", "lora_alpha", "use_rslora", "use_dora", "lora_bias", "bias", "modules_to_save", "fan_in_fan_out", "peft_type", "task_type" }.Where(_ => name != "patterns"))
        {
            Assert.That(JsonNode.DeepEquals(ours[key], theirs[key]), Is.True, $"{key}: {ours[key]}, {theirs[key]}");
        }

        // Read again it means the same adapters around the same layers.
        SavedModel again = SavedModel.Open(saved.Base!, adapter: folder["out"]);
        Assert.That(Text(again), Is.EqualTo(Text(saved)));

        static string Text(SavedModel model) => new RunConfig { Model = model.Config.Model }.ToJson();
        static JsonObject Settings(string folder) => JsonNode.Parse(File.ReadAllText(Path.Combine(folder, PeftFolder.ConfigFile)))!.AsObject();
    }

    private static SafeTensorsFile Expected(string name) => SafeTensorsFile.Open(SharedData.Path($"{Folder}/{name}/expected.safetensors"));

    private static int[] Tokens(SafeTensorsFile expected) => [.. SharedData.Reals(expected, "tokens").Select(t => (int)t)];

    private Transformer Load(SavedModel saved)
    {
        var model = new Transformer(saved.Config.Model, Backend(), source: null, saved.Config.Train.Trains);
        saved.Values.Fill(model.Store);
        return model;
    }

    private static OwnModel Own(SavedModel saved, Transformer model, Func<Parameter, double[]> read) => new(
        model.Config, null, [.. model.Store.Tensors.Select(tensor => new WeightInfo(tensor.Name, tensor.Layout.ToShape(), "F32"))],
        name => Array.ConvertAll(read(model.Store[name]), v => (float)v))
    {
        BaseArchitecture = Architecture(saved), Trained = model.Store.Parameters.Where(p => !p.Frozen).Select(p => p.Name).ToHashSet(),
    };

    private static string Architecture(SavedModel saved)
    {
        using ForeignModel foreign = ForeignModel.TryOpen(saved.Base!)!;
        return foreign.Architecture;
    }

    private static void AssertMatrices(CaseAgreement agreement, Transformer merged, SafeTensorsFile expected, SavedModel saved)
    {
        PublishedArchitecture architecture = PublishedArchitecture.All.Single(one => one.Name == Architecture(saved));
        var theirs = new RuledTensors(architecture.Tensors(merged.Config), name => Array.ConvertAll(Host.Read(merged.Store, merged.Store[name]), v => (float)v));
        string[] published = [.. expected.Tensors.Select(t => t.Name).Where(name => name.StartsWith("merged.", StringComparison.Ordinal))];
        Assert.That(published, Is.Not.Empty);
        foreach (string tensor in published)
        {
            double[] values = SharedData.Reals(expected, tensor);
            agreement.Off(theirs.Read(tensor["merged.".Length..]).Zip(values, (a, b) => Math.Abs(a - b)).Max(), 4e-7, "merged matrices");
        }
    }

    private double[] Logits(Transformer model, int[] tokens)
    {
        var owned = new List<IDisposable>();
        var pass = new Tape(Backend());
        Tensor logits = model.RecordLogits(pass, pass.External("tokens", Host.New(Backend(), [B, T], tokens, owned)));
        pass.Keep(logits);
        double[] values = Run(pass, logits, owned);
        owned.ForEach(o => o.Dispose());
        return values;
    }

    private double[] Run(Tape tape, Tensor result, List<IDisposable> owned)
    {
        var plan = new Plan(tape);
        DeviceBuffer arena = Backend().Allocate(plan.ArenaBytes);
        owned.Add(arena);
        plan.Bind(arena);
        plan.Run();
        return Host.Read(Backend(), plan[result]);
    }

    /// <summary>The same three rows at every step, each place's target the next token.</summary>
    private sealed class OneBatch(int[] tokens) : LearningTask
    {
        public override string Name => "one batch";

        public override IReadOnlyList<BatchField> Fields(int time) => BatchField.OfTokens(time);

        public override long Places(TaskSplit split) => long.MaxValue;

        public override int Fill(in RowKey key, in BatchRow row)
        {
            Span<int> own = row.Integers(BatchField.Tokens);
            tokens.AsSpan((int)(key.Row % B) * T, T).CopyTo(own);
            own[1..T].CopyTo(row.Integers(BatchField.Targets));
            return T - 1;
        }
    }
}
