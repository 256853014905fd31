using NanoFold.Engine.Checkpoints;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Cpu.Time;

/// <summary>The recurrence of HGRN, h ← exp(g) ⊙ h + x, as flash-linear-attention's naive function computes it in float64: outputs, final state and gradients.</summary>
public sealed class PublishedScanTests : EngineTests
{
    private readonly List<IDisposable> _owned = [];

    [TearDown]
    public void Free()
    {
        _owned.ForEach(o => o.Dispose());
        _owned.Clear();
    }

    [TestCase("grad", false)]
    [TestCase("gradstate", true)]
    public void AScanIsThatOfHgrn(string gradients, bool throughState)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(SharedData.Path("peers/mixer-functions/hgrn.safetensors"));
        Backend backend = Backend();
        double[] a = Array.ConvertAll(Read(file, "g"), Math.Exp);
        int[] shape = Array.ConvertAll(file["x"].Shape.ToArray(), n => (int)n), state = [shape[0], shape[2]];
        View decay = New(shape, a), h = New(shape, new double[a.Length]), initial = New(state, Read(file, "h0")), final = New(state, Read(file, "h0"));
        backend.Require<ScanCall>().Run(new ScanCall { A = decay, X = New(shape, Read(file, "x")), H = h, Initial = initial, Final = final });
        AssertClose(Host.Read(backend, h), Read(file, "o"), "o");
        AssertClose(Host.Read(backend, final), Read(file, "final_state"), "final state");

        View dA = New(shape, new double[a.Length]), dX = New(shape, new double[a.Length]), dInitial = New(state, new double[shape[0] * shape[2]]);
        backend.Require<ScanBackwardCall>().Run(new ScanBackwardCall
        {
            A = decay, H = h, Initial = initial, DH = New(shape, Read(file, "do")), DFinal = throughState ? New(state, Read(file, "dht")) : default,
            DA = dA, DX = dX, DInitial = dInitial,
        });
        AssertClose(Host.Read(backend, dX), Read(file, $"{gradients}.x"), "gradient of x");
        AssertClose([.. Host.Read(backend, dA).Zip(a, (gradient, factor) => gradient * factor)], Read(file, $"{gradients}.g"), "gradient of g");
        AssertClose(Host.Read(backend, dInitial), Read(file, $"{gradients}.h0"), "gradient of h0");
    }

    private static double[] Read(SafeTensorsFile file, string name)
    {
        var values = new double[file[name].Count];
        file.Read(name, values);
        return values;
    }

    private static void AssertClose(double[] actual, double[] expected, string what) => Numbers.AssertClose(actual, expected, 1e-12, what);

    private View New(int[] shape, double[] values) => Host.New(Backend(), DType.Float64, shape, values, _owned);
}
