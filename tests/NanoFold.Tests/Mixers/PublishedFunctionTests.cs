using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Cpu.Attention;
using NanoFold.Tests.Cpu.RecurrentHeads;
using NanoFold.Tests.Cpu.Time;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Mixers;

/// <summary>Every file of published functions is compared with somewhere, or stands here with the reason; and linear attention whose weights are divided out.</summary>
[Category("Published")]
public class PublishedFunctionTests : EngineTests
{
    private const string Folder = "peers/mixer-functions", Normalized = "linear-attention-normalised";

    private static readonly Dictionary<string, string> s_notSupported = new()
    {
        ["rwkv6"] = "no mixer reads a matrix as state before a token joins it",
        ["rwkv7-dplr"] = "no mixer adds a product with the state as it was before its decay",
    };

    private static IEnumerable<string> Compared =>
        [.. PublishedHeads.Names, .. ScoreTermTests.Published, .. PublishedBlocksTests.Published, KeyListMixerTests.Published, PublishedScanTests.Published, Normalized];

    [Test]
    public void EveryFunctionIsComparedWithOrNamedHere()
    {
        string[] files = [.. Directory.GetFiles(SharedData.Path(Folder), "*.safetensors").Select(path => Path.GetFileNameWithoutExtension(path))];
        Assert.That(files, Is.EquivalentTo(Compared.Concat(s_notSupported.Keys)));
        foreach ((string name, string reason) in s_notSupported)
        {
            CaseAgreement.Refused("mixer-functions", name, reason);
        }
    }

    [TestCase(DType.Float64, 1e-11)]
    [TestCase(DType.Float32, 1e-5)]
    public void LinearAttentionIsThatOfThePublishedFunction(DType type, double tolerance)
    {
        var agreement = new CaseAgreement("mixer-functions", Normalized);
        using SafeTensorsFile file = SafeTensorsFile.Open(SharedData.Path($"{Folder}/{Normalized}.safetensors"));
        Backend backend = Backend();
        var owned = new List<IDisposable>();
        using var store = new ParameterStore(backend, type);
        Parameter[] parameters = [.. new[] { "q", "k", "v" }.Select(name => store.Add(name, Layout.Of(Shape(file, name)), ParameterRole.Matrix, Initializer.Zero))];
        store.Allocate(1);
        foreach (Parameter parameter in parameters)
        {
            Host.Write(store, parameter, Reals(file, parameter.Name));
        }

        var tape = new Tape(backend, type, training: true);
        Tensor[] x = [.. parameters.Select(tape.Use)];
        (Tensor read, Tensor state) = RecurrentHeadsOp.RecordWithState(tape, x[0], x[1], WithOneOp.Record(tape, x[2]), default, default, default, 1 / Math.Sqrt(x[0][3]));
        Tensor y = Divided(tape, read);
        tape.Keep(y);
        tape.Keep(state);
        tape.AddLoss(DotOp.Record(tape, y, tape.External("do", Host.New(backend, type, y.Layout.ToShape(), Reals(file, "do"), owned))));
        Plan plan = Bound(tape, owned);
        backend.Fill(store.AllGradients, 0);
        plan.Run();
        agreement.Close(Host.Read(backend, plan[y]), Reals(file, "o"), tolerance, $"{Places(type)}: outputs and states");
        AssertState(Host.Read(backend, plan[state]), file, tolerance);
        foreach (Parameter parameter in parameters)
        {
            agreement.Close(Host.Gradient(store, parameter), Reals(file, $"grad.{parameter.Name}"), tolerance, $"{Places(type)}: gradients");
        }

        agreement.Record();

        owned.ForEach(o => o.Dispose());
    }

    /// <summary>Token by token from a state, as decoding goes.</summary>
    [TestCase(DType.Float64, 1e-11)]
    [TestCase(DType.Float32, 1e-5)]
    public void StepsOfLinearAttentionAreThoseOfThePublishedFunction(DType type, double tolerance)
    {
        var agreement = new CaseAgreement("mixer-functions", Normalized);
        using SafeTensorsFile file = SafeTensorsFile.Open(SharedData.Path($"{Folder}/{Normalized}.safetensors"));
        Backend backend = Backend();
        var owned = new List<IDisposable>();
        int[] shape = Shape(file, "v");
        (int batch, int time, int heads, int width, int keys) = (shape[0], shape[1], shape[2], shape[3], Shape(file, "q")[3]);
        View state = Host.New(backend, type, [batch, heads, keys, width + 1], new double[batch * heads * keys * (width + 1)], owned);
        View counts = Host.New(backend, [batch], [.. Enumerable.Repeat(1, batch)], owned);
        View[] whole = [.. new[] { "q", "k", "v" }.Select(name => Host.New(backend, type, Shape(file, name), Reals(file, name), owned))];
        double[] expected = Reals(file, "o");
        for (int t = 0; t < time; t++)
        {
            var tape = new Tape(backend, type);
            Tensor[] x = [.. whole.Select((view, i) => BroadcastOp.Contiguous(tape, tape.External($"{i}", view).Slice(1, t, 1)))];
            Tensor y = Divided(tape, RecurrentHeadsOp.Decode(
                tape, x[0], x[1], WithOneOp.Record(tape, x[2]), default, default, tape.External("state", state), tape.External("counts", counts), default, 1 / Math.Sqrt(keys)));
            tape.Keep(y);
            Plan plan = Bound(tape, owned);
            plan.Run();
            int row = heads * width;
            agreement.Close(
                Host.Read(backend, plan[y]), [.. Enumerable.Range(0, batch).SelectMany(b => expected.Skip(((b * time) + t) * row).Take(row))], tolerance, $"{Places(type)}: step by step", $"token {t}");
        }

        agreement.Record();

        AssertState(Host.Read(backend, state), file, tolerance);
        owned.ForEach(o => o.Dispose());
    }

    private static string Places(DType type) => type == DType.Float64 ? "float64" : "float32";

    // The published function adds 1e-10 to the sum of the weights.
    private static Tensor Divided(Tape tape, Tensor read)
    {
        (int b, int t, int h, int width) = (read[0], read[1], read[2], read[3] - 1);
        Tensor sum = BroadcastOp.Contiguous(tape, read.Slice(3, width, 1));
        Tensor share = StabilizerOp.Record(tape, sum, ScaleOp.Record(tape, DetachOp.Record(tape, sum), 1e9), 1e-10);
        return MultiplyOp.Record(tape, BroadcastOp.Contiguous(tape, read.Slice(3, 0, width)), share.Reshape(b, t, h, 1));
    }

    // Values, and the sum of the keys after them.
    private static void AssertState(double[] state, SafeTensorsFile file, double tolerance)
    {
        int width = Shape(file, "v")[3];
        Numbers.AssertClose([.. state.Chunk(width + 1).SelectMany(row => row[..width])], Reals(file, "final_state"), tolerance, "final state");
        Numbers.AssertClose([.. state.Chunk(width + 1).Select(row => row[width])], Reals(file, "final_z"), tolerance, "final sums");
    }

    private static double[] Reals(SafeTensorsFile file, string name)
    {
        var values = new double[file[name].Count];
        file.Read(name, values);
        return values;
    }

    private static int[] Shape(SafeTensorsFile file, string name) => [.. file[name].Shape.Select(n => (int)n)];

    private static Plan Bound(Tape tape, List<IDisposable> owned)
    {
        var plan = new Plan(tape);
        DeviceBuffer arena = tape.Backend.Allocate(plan.ArenaBytes);
        owned.Add(arena);
        plan.Bind(arena);
        return plan;
    }
}
