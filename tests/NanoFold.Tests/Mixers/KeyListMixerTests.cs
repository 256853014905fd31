using System.Globalization;
using System.Text.RegularExpressions;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Published;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Mixers;

/// <summary>What is special about mixers that choose keys: budgets, indexers and what these learn from.</summary>
public partial class KeyListMixerTests : EngineTests
{
    /// <summary>The published function that is compared with here.</summary>
    public const string Published = "dsa";

    [Category("Published")]
    [Test]
    public void AnIndexersChoiceIsThatOfThePublishedFunction()
    {
        var agreement = new CaseAgreement("mixer-functions", Published);
        using SafeTensorsFile file = SafeTensorsFile.Open(SharedData.Path($"peers/mixer-functions/{Published}.safetensors"));
        Backend backend = Backend();
        var owned = new List<IDisposable>();
        double[] Values(string tensor)
        {
            var values = new double[file[tensor].Count];
            file.Read(tensor, values);
            return values;
        }

        int[] Shape(string tensor) => Array.ConvertAll(file[tensor].Shape.ToArray(), n => (int)n);
        using var store = new ParameterStore(backend, DType.Float64);
        Dictionary<string, Parameter> inputs = new[] { "q", "k", "v" }.ToDictionary(name => name, name => store.Add(name, Layout.Of(Shape(name)), ParameterRole.Matrix, Initializer.Zero));
        store.Allocate(1);
        foreach ((string name, Parameter parameter) in inputs)
        {
            Host.Write(store, parameter, Values(name));
        }

        var tape = new Tape(backend, DType.Float64, training: true);
        Tensor Constant(string name, params int[] shape) => tape.External(name, Host.New(backend, DType.Float64, shape, Values(name), owned));
        int[] index = Shape("q_idx"), output = Shape("o");
        (int batch, int time, int heads, int width) = (index[0], index[1], index[2], index[3]);
        KeyList kept = SelectKeysOp.Record(
            tape, Constant("q_idx", index), Constant("k_idx", batch, time, 1, width), Constant("w_idx", batch, time, heads), 1 / Math.Sqrt(heads * width), new KeyBudget(9), Visibility.Causal);
        Tensor y = KeyListAttentionOp.Record(
            tape, tape.Use(inputs["q"]), tape.Use(inputs["k"]), tape.Use(inputs["v"]), kept, 1 / Math.Sqrt(inputs["q"].Layout[3]), Visibility.Causal);
        tape.AddLoss(DotOp.Record(tape, y, Constant("do", output)));
        tape.Keep(y);
        tape.Keep(kept.Lists);
        var plan = new Plan(tape);
        using DeviceBuffer arena = backend.Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        plan.Run();

        agreement.Close(Host.Read(backend, plan[y]), Values("o"), 1e-12, "outputs");
        foreach ((string name, Parameter parameter) in inputs)
        {
            agreement.Close(Host.Gradient(store, parameter), Values($"grad.{name}"), 1e-12, "gradients", $"gradient of {name}");
        }

        long[] indices = new long[file["indices"].Count];
        file.Read("indices", indices);
        double[] lists = Host.Read(backend, plan[kept.Lists]);
        for (int row = 0; row < batch * time; row++)
        {
            long[] published = [.. indices.AsSpan(row * 9, 9).ToArray().Where(j => j >= 0 && j <= row % time).Order()];
            Assert.That(lists.AsSpan(row * 9, 9).ToArray().Where(j => j >= 0), Is.EqualTo(published), $"query {row}");
        }

        owned.ForEach(o => o.Dispose());
        agreement.Record();
    }

    [Test]
    public void DenseStepsAttendToAllKeysAndTeachTheIndexerByAllOfThem()
    {
        using var rig = new TrainRig();
        string[] dsa = ["model.mixer=dsa", "train.steps=4"];
        _ = rig.Train("all", [.. dsa, "model.mixer.topK=8"]);
        _ = rig.Train("dense first", [.. dsa, "model.mixer.topK=1", "model.mixer.denseSteps=2"]);
        (double Loss, double Index)[] all = Read(rig.Metrics("all")), first = Read(rig.Metrics("dense first"));
        for (int step = 0; step < 3; step++)
        {
            bool isDense = step < 2;
            Assert.That(Math.Abs(first[step].Loss - all[step].Loss) < 1e-5, Is.EqualTo(isDense), $"loss of step {step}");
            // Of one key there is nothing to choose.
            Assert.That(first[step].Index, isDense ? Is.EqualTo(all[step].Index).Within(1e-5) : Is.Zero, $"index loss of step {step}");
        }

        Assert.That(all[0].Index, Is.GreaterThan(0.01));

        static (double, double)[] Read(string[] lines) => [.. lines.Where(line => line.StartsWith("step=", StringComparison.Ordinal) && line.Contains("indexLoss", StringComparison.Ordinal))
            .Select(line => (Number(line, " loss"), Number(line, "indexLoss")))];

        static double Number(string line, string key) => double.Parse(NumberAfter().Match(line[(line.IndexOf(key + "=", StringComparison.Ordinal) + key.Length + 1)..]).Value, CultureInfo.InvariantCulture);
    }

    [TestCase(1, 1)]
    [TestCase(5, 2)]
    public void DecodingHasBudgetsOfItsOwn(int chunk, int ceiling)
    {
        // Tokens one at a time are generated, several at a time are of a prompt.
        BudgetAdaptiveConfig own = BudgetAdaptiveConfig.Tiny with { DecodingCeiling = 1, DecodingFloor = 1, PrefillCeiling = 2, PrefillFloor = 2, PrefillMass = 0.9 };
        using var model = new TinyModel(ModelVariants.Base with { Mixer = own }, Backend());
        using var whole = new TinyModel(
            ModelVariants.Base with { Mixer = new BudgetAdaptiveConfig { Mass = chunk == 1 ? own.Mass : 0.9, Floor = ceiling, Ceiling = ceiling } }, Backend());
        using var decoding = new Decoding(model, chunk);
        double[] logits = decoding.Run((_, _) => chunk);
        Numbers.AssertClose(logits, whole.Logits(whole.Tokens), 1e-5, "logits");
        Assert.That(model.Logits(model.Tokens), Is.Not.EqualTo(logits), "training has another");
    }

    [Test]
    public void CostsCountTheKeysOfLists([Values(1, 4)] int size, [Values(1, 3)] int most)
    {
        const int Time = 21, Heads = 4, Depth = 6, ValueDepth = 8;
        View Of(DType type, params int[] shape) => View.OfShape(Layout.Of(shape), type);
        var args = new AttentionArgs
        {
            Q = Of(DType.Float32, 2, Time, Heads, Depth),
            K = Of(DType.Float32, 2, Time, 2, Depth),
            V = Of(DType.Float32, 2, Time, 2, ValueDepth),
            Y = Of(DType.Float32, 2, Time, Heads, ValueDepth),
            LogSumExp = Of(DType.Float32, 2, Heads, Time),
            Scale = 1,
            Visible = Visible.Causal,
        };
        // The own block, or key, and the first ones.
        double pairs = 2 * Heads * Enumerable.Range(0, Time).Sum(t => (double)Enumerable.Range(0, t + 1).Count(j => j / size == t / size || j / size < most - 1 + (t / size < most ? 1 : 0)));
        var call = new KeyListAttentionCall(args, new KeptKeys(Of(DType.Int32, 2, 1, Time, most), size, default, default));
        Assert.That(call.Cost.Flops, Is.EqualTo(2 * pairs * (Depth + ValueDepth)));
    }

    [TestCase("block", 9, "9 is more than half of model.context = 16: a query would keep all that it sees")]
    [TestCase("topK", 17, "17 is more than model.context = 16")]
    [TestCase("sharedLayers", 3, "3 is more than model.layers = 2")]
    public void WhatDoesNotFitIsSaid(string key, int value, string problem)
    {
        DsaConfig dsa = key switch
        {
            "block" => new DsaConfig { Block = value },
            "topK" => new DsaConfig { TopK = value },
            _ => new DsaConfig { SharedLayers = value },
        };
        Assert.That((ModelVariants.Base with { Mixer = dsa }).Resolve().Validate("model"), Has.Exactly(1).Matches<ConfigProblem>(p => p.Path == $"model.mixer.{key}" && p.Message == problem));
    }

    [GeneratedRegex("^[-+0-9.eE]+")]
    private static partial Regex NumberAfter();
}
