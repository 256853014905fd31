using NanoFold.Engine.Checkpoints;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Cpu.Time;

/// <summary>The recurrence of HGRN, h ← exp(g) ⊙ h + x, as flash-linear-attention's naive function computes it in float64: outputs, final state and gradients.</summary>
[Category("Published")]
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
        var agreement = new CaseAgreement("mixer-functions", "hgrn");
        using SafeTensorsFile file = SafeTensorsFile.Open(SharedData.Path("peers/mixer-functions/hgrn.safetensors"));
        Backend backend = Backend();
        double[] a = Array.ConvertAll(Read(file, "g"), Math.Exp);
        int[] shape = Array.ConvertAll(file["x"].Shape.ToArray(), n => (int)n), state = [shape[0], shape[2]];
        View decay = New(shape, a), h = New(shape, new double[a.Length]), initial = New(state, Read(file, "h0")), final = New(state, Read(file, "h0"));
        backend.Require<ScanCall>().Run(new ScanCall { A = decay, X = New(shape, Read(file, "x")), H = h, Initial = initial, Final = final });
        agreement.Close(Host.Read(backend, h), Read(file, "o"), 1e-12, "outputs");
        agreement.Close(Host.Read(backend, final), Read(file, "final_state"), 1e-12, "final state");

        View dA = New(shape, new double[a.Length]), dX = New(shape, new double[a.Length]), dInitial = New(state, new double[shape[0] * shape[2]]);
        backend.Require<ScanBackwardCall>().Run(new ScanBackwardCall
        {
            A = decay, H = h, Initial = initial, DH = New(shape, Read(file, "do")), DFinal = throughState ? New(state, Read(file, "dht")) : default,
            DA = dA, DX = dX, DInitial = dInitial,
        });
        agreement.Close(Host.Read(backend, dX), Read(file, $"{gradients}.x"), 1e-12, "gradients");
        agreement.Close([.. Host.Read(backend, dA).Zip(a, (gradient, factor) => gradient * factor)], Read(file, $"{gradients}.g"), 1e-12, "gradients");
        agreement.Close(Host.Read(backend, dInitial), Read(file, $"{gradients}.h0"), 1e-12, "gradients");
        agreement.Record();
    }

    private static double[] Read(SafeTensorsFile file, string name)
    {
        var values = new double[file[name].Count];
        file.Read(name, values);
        return values;
    }


    private View New(int[] shape, double[] values) => Host.New(Backend(), DType.Float64, shape, values, _owned);
}
