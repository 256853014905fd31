using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Metrics;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Tests.Tasks;

public sealed class ScoreTests
{
    [Test]
    public void LossAndAccuracyAreOfPlacesWithATarget()
    {
        var batch = new BatchRows(BatchField.OfTokens(3), 2);
        new[] { 1, -1, 2, -1, 0, 4 }.CopyTo(batch.Integers(BatchField.Targets));
        Tensor Of(DType type) => new(0, 0, Layout.Of(6), type);
        var scored = new ScoredValues([Of(DType.Float32), Of(DType.Int32)]);
        new[] { 1f, 100, 2, 100, 3, 4 }.CopyTo(scored.Reals(0));
        new[] { 1, 1, 0, 1, 0, 0 }.CopyTo(scored.Integers(1));
        var score = new TargetScore();
        score.Add(batch, scored);
        score.Add(batch, scored);

        Evaluation result = score.Result();
        Assert.That((result.Loss, result.Tokens, result.IsText, result.Scores!.Single()), Is.EqualTo((2.5, 8L, false, new Score("accuracy", 0.5))));
        Assert.That(result.Figures.Select(figure => figure.Name), Is.EqualTo(new[] { "loss", "accuracy" }));
        Assert.That(new Score("accuracy", 0.5).After("fullValidation"), Is.EqualTo("fullValidationAccuracy"));
    }

    [Test]
    public void TheyAreInStateAndLogUnderTheirOwnNames()
    {
        using var folder = new TemporaryFolder();
        Evaluation scored = Evaluation.Of(0.5, 30, new Score("accuracy", 0.75)), text = new(2.25, 3.5, 100, 90);
        var state = new TrainState(7, 12, 1.5, 0.5, scored, "") { FullEvaluation = text };
        File.WriteAllBytes(folder[TrainState.FileName], Bytes(state.ToFile([])));
        TrainState read = TrainState.Load(folder.Path);
        Assert.That(read.LastEvaluation!.Value.Scores, Is.EqualTo(scored.Scores));
        Assert.That((read.LastEvaluation!.Value.Loss, read.LastEvaluation!.Value.BitsPerByte, read.FullEvaluation), Is.EqualTo((0.5, double.NaN, (Evaluation?)text)));
        Assert.That(File.ReadAllText(folder[TrainState.FileName]).Split("scores"), Has.Length.EqualTo(2), "text has none");

        using (JsonLinesLog log = JsonLinesLog.Open(folder["metrics.jsonl"]))
        {
            new MetricsJson(log, 1, 0).AppendEvaluation(new RunPlace(7, 1, 100), scored, text);
        }

        Assert.That(File.ReadAllText(folder["metrics.jsonl"]).TrimEnd(), Does.EndWith(
            "\"validationLoss\":0.5,\"validationAccuracy\":0.75,\"validationTokens\":30,\"fullValidationLoss\":2.25,\"fullValidationBitsPerByte\":3.5,\"fullValidationTokens\":100}"));
    }

    private static byte[] Bytes(CheckpointFile file)
    {
        using var stream = new MemoryStream();
        file.Write(stream);
        return stream.ToArray();
    }
}
