using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using NanoFold.Engine.Checkpoints;
using NanoFold.Tests;

namespace NanoFold.Judges;

/// <summary>Exported graphs in ONNX Runtime: the logits of transformers.</summary>
[NonParallelizable]
public class OnnxRuntimeTests
{
    [TestCaseSource(typeof(PublishedCases), nameof(PublishedCases.All))]
    public void LogitsAreThoseOfTransformers(string name)
    {
        using var folder = new TemporaryFolder();
        PublishedCases.Export(name, "onnx", folder["m.onnx"]);
        using SafeTensorsFile expected = PublishedCases.Expected(name);
        long[] tokens = [.. SharedData.Reals(expected, "tokens").Select(token => (long)token)];
        int[] shape = [.. expected["tokens"].Shape.Select(extent => (int)extent)];
        using var session = new InferenceSession(folder["m.onnx"]);
        using IDisposableReadOnlyCollection<DisposableNamedOnnxValue> results = session.Run([NamedOnnxValue.CreateFromTensor("tokens", new DenseTensor<long>(tokens, shape))]);
        Assert.That(results[0].AsEnumerable<float>(), Is.EqualTo(SharedData.Reals(expected, "logits").Select(logit => (float)logit)).Within(1e-4f));
    }
}
