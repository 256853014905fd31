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
    /// <summary>The published function.</summary>
    public const string Published = "hgrn";

    private readonly List<IDisposable> _owned = [];
    private DType _type;

    [TearDown]
    public void Free()
    {
        _owned.ForEach(o => o.Dispose());
        _owned.Clear();
    }

    [TestCase("grad", false, DType.Float64)]
    [TestCase("gradstate", true, DType.Float64)]
    [TestCase("grad", false, DType.Float32)]
    [TestCase("gradstate", true, DType.Float32)]
    public void AScanIsThatOfHgrn(string gradients, bool throughState, DType type)
    {
        _type = type;
        var agreement = new CaseAgreement("mixer-functions", Published);
        using SafeTensorsFile file = SafeTensorsFile.Open(SharedData.Path($"peers/mixer-functions/{Published}.safetensors"));
        Backend backend = Backend();
        double[] a = Array.ConvertAll(Read(file, "g"), Math.Exp);
        int[] shape = Array.ConvertAll(file["x"].Shape.ToArray(), n => (int)n), state = [shape[0], shape[2]];
        View decay = New(shape, a), h = New(shape, new double[a.Length]), initial = New(state, Read(file, "h0")), final = New(state, Read(file, "h0"));
        backend.Require<ScanCall>().Run(new ScanCall { A = decay, X = New(shape, Read(file, "x")), H = h, Initial = initial, Final = final });
        agreement.Close(Host.Read(backend, h), Read(file, "o"), Allowed, $"{Places}: outputs and state", "o");
        agreement.Close(Host.Read(backend, final), Read(file, "final_state"), Allowed, $"{Places}: outputs and state", "final state");

        View dA = New(shape, new double[a.Length]), dX = New(shape, new double[a.Length]), dInitial = New(state, new double[shape[0] * shape[2]]);
        backend.Require<ScanBackwardCall>().Run(new ScanBackwardCall
        {
            A = decay, H = h, Initial = initial, DH = New(shape, Read(file, "do")), DFinal = throughState ? New(state, Read(file, "dht")) : default,
            DA = dA, DX = dX, DInitial = dInitial,
        });
        agreement.Close(Host.Read(backend, dX), Read(file, $"{gradients}.x"), Allowed, $"{Places}: gradients", "gradient of x");
        agreement.Close([.. Host.Read(backend, dA).Zip(a, (gradient, factor) => gradient * factor)], Read(file, $"{gradients}.g"), Allowed, $"{Places}: gradients", "gradient of g");
        agreement.Close(Host.Read(backend, dInitial), Read(file, $"{gradients}.h0"), Allowed, $"{Places}: gradients", "gradient of h0");
        agreement.Record();
    }

    [TestCase(DType.Float64)]
    [TestCase(DType.Float32)]
    public void StepsAreThoseOfHgrn(DType type)
    {
        _type = type;
        var agreement = new CaseAgreement("mixer-functions", Published);
        using SafeTensorsFile file = SafeTensorsFile.Open(SharedData.Path($"peers/mixer-functions/{Published}.safetensors"));
        int[] shape = Array.ConvertAll(file["x"].Shape.ToArray(), n => (int)n);
        View a = New(shape, Array.ConvertAll(Read(file, "g"), Math.Exp)), x = New(shape, Read(file, "x")), h = New(shape, new double[a.Count]), state = New([shape[0], shape[2]], Read(file, "h0"));
        for (int t = 0; t < shape[1]; t++)
        {
            Backend().Require<ScanCall>().Run(new ScanCall { A = At(a, t), X = At(x, t), H = At(h, t), Initial = state, Final = state });
        }

        agreement.Close(Host.Read(Backend(), h), Read(file, "o"), Allowed, $"{Places}: step by step", "o");
        agreement.Close(Host.Read(Backend(), state), Read(file, "final_state"), Allowed, $"{Places}: step by step", "final state");
        agreement.Record();
    }

    private static View At(in View x, int place) => x.With(x.Layout.Slice(1, place, 1, out long offset), offset);

    private static double[] Read(SafeTensorsFile file, string name)
    {
        var values = new double[file[name].Count];
        file.Read(name, values);
        return values;
    }

    private double Allowed => _type == DType.Float64 ? 1e-12 : 2e-6;

    private string Places => _type == DType.Float64 ? "float64" : "float32";

    private View New(int[] shape, double[] values) => Host.New(Backend(), _type, shape, values, _owned);
}
