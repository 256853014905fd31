using System.Text.Json;
using NanoFold.Engine.Checkpoints;

namespace NanoFold.Tests.Checkpoints;

/// <summary>Files that another implementation wrote.</summary>
public class SafeTensorsOracleTests
{
    [Test]
    public void RealFilesAreRead()
    {
        string[] paths = Directory.GetFiles(SharedData.Path("oracle"), "*.safetensors");
        Assert.That(paths, Is.Not.Empty);
        foreach (string path in paths)
        {
            using SafeTensorsFile file = SafeTensorsFile.Open(path);
            using var config = JsonDocument.Parse(file.Metadata["config"]);
            long vocab = config.RootElement.GetProperty("vocab").GetInt64();
            long batch = config.RootElement.GetProperty("batch").GetInt64();

            Assert.That(file["tokens"].Type, Is.EqualTo(SafeTensorType.I64), path);
            var tokens = new long[file["tokens"].Count];
            file.Read("tokens", tokens);
            Assert.That(tokens, Is.All.InRange(0, vocab - 1), path);

            Assert.That(file["logits"].Shape[0], Is.EqualTo(batch), path);
            Assert.That(file["logits"].Shape[^1], Is.EqualTo(vocab), path);
            Assert.That(MeanCrossEntropy(file, (int)vocab), Is.EqualTo(Scalar(file, "crossEntropy")).Within(1e-12), path);
        }
    }

    // Mean over the rows of logsumexp(logits) − logits[target], in nats: right only if every byte was read as what it is.
    private static double MeanCrossEntropy(SafeTensorsFile file, int vocab)
    {
        var logits = new double[file["logits"].Count];
        var targets = new int[file["targets"].Count];
        file.Read("logits", logits);
        file.Read("targets", targets);
        double sum = 0;
        for (int row = 0; row < targets.Length; row++)
        {
            double[] scores = logits[(row * vocab)..((row + 1) * vocab)];
            sum += Math.Log(scores.Sum(Math.Exp)) - scores[targets[row]];
        }

        return sum / targets.Length;
    }

    private static double Scalar(SafeTensorsFile file, string name)
    {
        var value = new double[1];
        file.Read(name, value);
        return value[0];
    }
}
