using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules.Adapters;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Modules;

/// <summary>Adapters as peft saves them: logits, merged matrices, loss and gradients.</summary>
public class PublishedAdapterTests : EngineTests
{
    private const string Prefix = "base_model.model.";

    // Kinds and settings that the engine does not have.
    private static readonly string[] s_others = ["dora", "embedding", "gpt2_conv1d"];

    private static readonly Dictionary<string, LoraConfig[]> s_cases = new()
    {
        ["qv_r4"] = [new() { Rank = 4 }],
        ["all_linear_rslora"] = [new() { Rank = 6, Alpha = 9, RankStabilized = true, Targets = [AdapterConfig.AllLinear] }],
        ["modules_to_save"] = [new() { Rank = 4 }],
        ["patterns"] =
        [
            new() { Rank = 2, Alpha = 5, Targets = ["layers.1.self_attn.q_proj"] },
            new() { Rank = 7, Alpha = 5, Targets = ["q_proj"] },
            new() { Rank = 3, Alpha = 12, Targets = ["layers.0.mlp.down_proj"] },
            new() { Rank = 3, Targets = ["down_proj"] },
            new() { Rank = 4 },
        ],
        ["bias_lora_only"] = [new() { Rank = 4 }],
        ["bias_all"] = [new() { Rank = 4 }],
        ["layers_to_transform"] = [new() { Rank = 4, Targets = ["layers.1.self_attn.q_proj", "layers.1.self_attn.v_proj"] }],
        ["exclude_regex"] = [new() { Rank = 3, Alpha = 6, Targets = ["self_attn.q_proj", "mlp.gate_proj"], Exclude = ["layers.0.mlp.gate_proj"] }],
        ["lora_bias"] = [new() { Rank = 4, Bias = true }],
    };

    [Test]
    public void EveryCaseIsKnown() => Assert.That(
        Directory.GetDirectories(SharedData.Path("peers/adapters")).Select(Path.GetFileName).Where(name => !name!.StartsWith("base", StringComparison.Ordinal)),
        Is.EquivalentTo(s_cases.Keys.Concat(s_others)));

    [TestCaseSource(nameof(Names))]
    public void LogitsMatricesLossAndGradientsAreThoseOfPeft(string name)
    {
        string folder = SharedData.Path($"peers/adapters/{name}");
        using SafeTensorsFile expected = SafeTensorsFile.Open(Path.Combine(folder, "expected.safetensors"));
        using SafeTensorsFile adapter = SafeTensorsFile.Open(Path.Combine(folder, "adapter_model.safetensors"));
        Backend backend = Backend();
        using Transformer model = Load(name, folder, adapter);
        int[] tokens = [.. SharedData.Reals(expected, "tokens").Select(t => (int)t)];
        const int B = 3, T = 14;
        var owned = new List<IDisposable>();
        var pass = new Tape(backend);
        Tensor logits = model.RecordLogits(pass, pass.External("tokens", Host.New(backend, [B, T], tokens, owned)));
        pass.Keep(logits);
        Numbers.AssertClose(Run(backend, pass, logits, owned), SharedData.Reals(expected, "logits_adapter"), 2e-5, "logits");

        // The last token of a sequence has no target.
        int[] targets = [.. tokens.Select((_, i) => i % T == T - 1 ? -1 : tokens[i + 1])];
        var training = new Tape(backend, training: true);
        training.State.Set(StepSlot.TargetCount, (long)(B * (T - 1)));
        Tensor loss = model.RecordLoss(
            training, training.External("tokens", Host.New(backend, [B, T], tokens, owned)), training.External("targets", Host.New(backend, [B, T], targets, owned))).Loss;
        training.Keep(loss);
        backend.Fill(model.Store.AllGradients, 0);
        Assert.That(Run(backend, training, loss, owned)[0], Is.EqualTo(SharedData.Reals(expected, "loss")[0]).Within(1e-5));
        int compared = 0;
        foreach (Parameter parameter in model.Store.Parameters.Where(p => !p.Frozen))
        {
            Numbers.AssertClose(Host.Gradient(model.Store, parameter), SharedData.Reals(expected, "grad." + Key(adapter, parameter.Name)!), 1e-4, parameter.Name);
            compared++;
        }

        Assert.That(compared, Is.EqualTo(adapter.Tensors.Count));
        Merged(model, expected, backend, owned);
        owned.ForEach(o => o.Dispose());
    }

    [TestCaseSource(nameof(Names))]
    public void TenStepsOfTrainingHaveTheLossesOfPeft(string name)
    {
        string folder = SharedData.Path($"peers/adapters/{name}");
        using SafeTensorsFile expected = SafeTensorsFile.Open(Path.Combine(folder, "expected.safetensors"));
        using SafeTensorsFile adapter = SafeTensorsFile.Open(Path.Combine(folder, "adapter_model.safetensors"));
        using Transformer model = Load(name, folder, adapter);
        var losses = new double[11];
        expected.Read("adamw_losses", losses.AsSpan());
        var config = new TrainConfig
        {
            Batch = 3, Steps = 11, Warmup = 0, Schedule = ScheduleKind.Constant, LearningRate = 1e-3, WeightDecay = 0, Clip = 0,
            Optimizer = new AdamWConfig { Beta1 = 0.9, Beta2 = 0.95, Epsilon = 1e-8 },
        };
        using var trainer = new Trainer(model, config, new OneBatch([.. SharedData.Reals(expected, "tokens").Select(t => (int)t)]));
        for (int step = 0; step < losses.Length; step++)
        {
            Assert.That(trainer.Step(step).Loss, Is.EqualTo(losses[step]).Within(step == 0 ? 1e-5 : 1e-4), $"step {step}");
        }
    }

    // The matrices as they act.
    private static void Merged(Transformer model, SafeTensorsFile expected, Backend backend, List<IDisposable> owned)
    {
        foreach (string weight in expected.Tensors.Select(t => t.Name).Where(name => name.StartsWith("merged.", StringComparison.Ordinal) && name.EndsWith(".weight", StringComparison.Ordinal)))
        {
            string layer = weight["merged.".Length..^".weight".Length];
            if (!model.Store.Contains($"{layer}.lora_A.weight"))
            {
                Assert.That(Host.Read(model.Store, model.Store[$"{layer}.weight"]), Is.EqualTo(SharedData.Reals(expected, weight)), layer);
                continue;
            }

            Parameter down = model.Store[$"{layer}.lora_A.weight"], up = model.Store[$"{layer}.lora_B.weight"];
            LoraConfig config = model.Config.Adapters.OfType<LoraConfig>().First(lora =>
                lora.Rank == down.Layout[0] && lora.Targets.Any(target => target == AdapterConfig.AllLinear || layer.EndsWith(target, StringComparison.Ordinal)));
            var linear = new LoraLinear(new Plain(model.Store[$"{layer}.weight"]), down, up, null, config);
            var tape = new Tape(backend);
            Tensor merged = linear.Weight(tape);
            tape.Keep(merged);
            double[] values = Run(backend, tape, merged, owned), published = SharedData.Reals(expected, weight);
            Assert.That(values.Zip(published, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(4e-7), layer);
        }
    }

    // What is in the adapter's file is trained.
    private Transformer Load(string name, string folder, SafeTensorsFile adapter)
    {
        using SafeTensorsFile start = SafeTensorsFile.Open(Path.Combine(folder, "..", name.Contains("bias", StringComparison.Ordinal) ? "base_bias" : "base", ModelFile.Name));
        string[] trained = [.. adapter.Tensors.Select(t => t.Name[Prefix.Length..].Replace(".base_layer", "", StringComparison.Ordinal))];
        var model = new Transformer(Config(start, s_cases[name]), Backend(), source: null, new NameGlobs("trained", trained));
        foreach (Parameter parameter in model.Store.Parameters)
        {
            string own = Key(adapter, parameter.Name) ?? parameter.Name;
            Host.Write(model.Store, parameter, SharedData.Reals(own == parameter.Name ? start : adapter, own));
        }

        return model;
    }

    private static ModelConfig Config(SafeTensorsFile start, IReadOnlyList<AdapterConfig> adapters) => new()
    {
        Layers = 2, Width = 48, Heads = 4, KvHeads = 2, Context = 14, Vocab = 113, Hidden = 96, NormEpsilon = 1e-6,
        Bias = start.Find("model.layers.0.self_attn.q_proj.bias") is not null, Adapters = adapters,
    };

    // The name that a file of peft's has for a parameter, or null; biases of adapted layers are those of the layer within.
    private static string? Key(SafeTensorsFile adapter, string parameter)
    {
        string[] names = [Prefix + parameter, Prefix + parameter.Replace(".bias", ".base_layer.bias", StringComparison.Ordinal)];
        return names.FirstOrDefault(name => adapter.Find(name) is not null);
    }

    private static double[] Run(Backend backend, Tape tape, Tensor result, List<IDisposable> owned)
    {
        var plan = new Plan(tape);
        DeviceBuffer arena = backend.Allocate(plan.ArenaBytes);
        owned.Add(arena);
        plan.Bind(arena);
        plan.Run();
        return Host.Read(backend, plan[result]);
    }

    private static IEnumerable<string> Names() => s_cases.Keys;

    /// <summary>The same three rows at every step, each place's target the next token.</summary>
    private sealed class OneBatch(int[] tokens) : LearningTask
    {
        public override string Name => "one batch";

        public override IReadOnlyList<BatchField> Fields(int time) => BatchField.OfTokens(time);

        public override long Places(TaskSplit split) => long.MaxValue;

        public override int Fill(in RowKey key, in BatchRow row)
        {
            Span<int> own = row.Integers(BatchField.Tokens);
            tokens.AsSpan((int)(key.Row % 3) * own.Length, own.Length).CopyTo(own);
            own[1..].CopyTo(row.Integers(BatchField.Targets));
            return own.Length - 1;
        }
    }

    /// <summary>A matrix that an adapter is put around.</summary>
    private sealed class Plain(Parameter weight) : Engine.Modules.Linear
    {
        public override int Inputs => weight.Layout[1];

        public override int Outputs => weight.Layout[0];

        public override Tensor Weight(Tape tape) => tape.Use(weight);

        public override Tensor Bias(Tape tape) => default;

        public override Tensor Forward(Tape tape, Tensor x, int start, int rows) => throw new NotSupportedException();
    }
}
