using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Mixers;

/// <summary>Attention over chosen blocks against the published functions (flash-linear-attention), results and gradients in double precision.</summary>
[Category("Published")]
public class PublishedBlocksTests : EngineTests
{
    private const string Moba = "moba", Nsa = "nsa", TwoGroups = "nsa-two-groups", SmallGroup = "nsa-small-group";

    /// <summary>Published functions that are compared with here.</summary>
    public static IReadOnlyList<string> Published => [Moba, Nsa, TwoGroups, SmallGroup];

    [TestCase(false)]
    [TestCase(true)]
    public void MixtureOfBlockAttention(bool composedOnly) => Verify(Moba, composedOnly, ["q", "k", "v"], (file, tape, x) =>
    {
        int block = Number(file, "block");
        (Tensor lists, Tensor lengths) = BlockChoiceOp.Record(tape, x[0], BlockMeanOp.Record(tape, x[1], block), block, 3);
        return AttentionOp.Record(tape, x[0], x[1], x[2], Scale(x), Listed(lists, lengths, block));
    });

    [TestCase(Nsa, false)]
    [TestCase(Nsa, true)]
    [TestCase(TwoGroups, false)]
    [TestCase(SmallGroup, false)]
    public void NativeSparseAttention(string name, bool composedOnly) => Verify(name, composedOnly, ["q", "k", "v", "g_cmp", "g_slc", "g_swa"], (file, tape, x) =>
    {
        int block = Number(file, "block");
        double scale = Scale(x);
        Tensor k = BlockMeanOp.Record(tape, x[1], block), v = BlockMeanOp.Record(tape, x[2], block);
        (Tensor compressed, Tensor logSumExp) = PooledAttentionOp.Record(tape, x[0], k, v, block, scale);
        (Tensor lists, Tensor lengths) = BlockChoiceOp.Record(tape, x[0], k, block, Number(file, "count"), logSumExp, scale);
        Tensor selected = AttentionOp.Record(tape, x[0], x[1], x[2], scale, Listed(lists, lengths, block));
        Tensor window = AttentionOp.Record(tape, x[0], x[1], x[2], scale, Visibility.Causal with { Window = Number(file, "window") });
        return AddOp.Record(tape, AddOp.Record(tape, Gated(compressed, x[3]), Gated(selected, x[4])), Gated(window, x[5]));

        Tensor Gated(Tensor y, Tensor gate) => MultiplyOp.Record(tape, y, gate.Reshape(y[0], y[1], y[2], 1));
    });

    private void Verify(string name, bool composedOnly, string[] inputs, Func<SafeTensorsFile, Tape, Tensor[], Tensor> record)
    {
        var agreement = new CaseAgreement("mixer-functions", name);
        using SafeTensorsFile file = SafeTensorsFile.Open(SharedData.Path($"peers/mixer-functions/{name}.safetensors"));
        Backend backend = Backend(composedOnly: composedOnly);
        var owned = new List<IDisposable>();
        using var store = new ParameterStore(backend, DType.Float64);
        Parameter[] parameters = [.. inputs.Select(input => store.Add(input, Layout.Of([.. file[input].Shape.Select(n => (int)n)]), ParameterRole.Matrix, Initializer.Zero))];
        store.Allocate(1);
        foreach (Parameter parameter in parameters)
        {
            Host.Write(store, parameter, Reals(file, parameter.Name));
        }

        var tape = new Tape(backend, DType.Float64, training: true);
        Tensor y = record(file, tape, [.. parameters.Select(tape.Use)]);
        tape.Keep(y);
        tape.AddLoss(DotOp.Record(tape, y, tape.External("do", Host.New(backend, DType.Float64, y.Layout.ToShape(), Reals(file, "do"), owned))));
        var plan = new Plan(tape);
        using DeviceBuffer arena = backend.Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        backend.Fill(store.AllGradients, 0);
        plan.Run();
        agreement.Close(Host.Read(backend, plan[y]), Reals(file, "o"), 1e-12, composedOnly ? "outputs, composed" : "outputs");
        foreach (Parameter parameter in parameters)
        {
            agreement.Close(Host.Gradient(store, parameter), Reals(file, $"grad.{parameter.Name}"), 1e-12, composedOnly ? "gradients, composed" : "gradients", $"gradient of {parameter.Name}");
        }

        owned.ForEach(o => o.Dispose());
        agreement.Record();
    }

    private static double Scale(Tensor[] x) => 1 / Math.Sqrt(x[0][3]);

    private static Visibility Listed(Tensor lists, Tensor lengths, int block) =>
        Visibility.Causal with { Blocks = lists, BlockCounts = lengths, QuerySize = 1, KeySize = block };

    private static int Number(SafeTensorsFile file, string key) => int.Parse(file.Metadata[key], System.Globalization.CultureInfo.InvariantCulture);

    private static double[] Reals(SafeTensorsFile file, string name)
    {
        var values = new double[file[name].Count];
        file.Read(name, values);
        return values;
    }
}
