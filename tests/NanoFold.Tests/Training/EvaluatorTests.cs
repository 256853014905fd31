using System.Text;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Data;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Generation;

namespace NanoFold.Tests.Training;

/// <summary>Against a full pass per window, its logits turned into nats in double.</summary>
[NonParallelizable]
public class EvaluatorTests
{
    [TestCase(1)]
    [TestCase(3)]
    [TestCase(64)]
    public void EveryTokenButTheFirstIsPredictedOnce(int rows)
    {
        using var rig = new TrainRig();
        RunConfig config = rig.Config().WithVocab(256);
        byte[] text = Encoding.UTF8.GetBytes(TrainRig.Text)[^375..];
        using var backend = new CpuBackend(2);
        using var model = TinyModels.Random(backend, config.Model);
        using TokenDataset dataset = TrainData.Open(config);
        int context = config.Model.Context;
        using var evaluator = new Evaluator(model, new TextTask(dataset.Validation, "text", dataset.Tokenizer.ByteLengths), new BatchShape(rows, context));
        Evaluation evaluation = evaluator.Run();

        double nats = 0;
        for (int start = 0; start < text.Length - 1; start += context)
        {
            byte[] window = text[start..Math.Min(start + context + 1, text.Length)];
            nats += Nats(model, window);
        }

        Assert.That((evaluation.Tokens, evaluation.Bytes), Is.EqualTo((374L, 374L)));
        Assert.That(evaluation.Loss, Is.EqualTo(nats / 374).Within(1e-5));
        Assert.That(evaluation.BitsPerByte, Is.EqualTo(nats / 374 / Math.Log(2)).Within(1e-5));
        Assert.That(evaluation.Perplexity, Is.EqualTo(Math.Exp(nats / 374)).Within(1e-2));
        Assert.That(evaluator.Run(), Is.EqualTo(evaluation));
    }

    [Test]
    public void APartIsEvenlySpacedWindows()
    {
        using var rig = new TrainRig();
        RunConfig config = rig.Config().WithVocab(256);
        byte[] text = Encoding.UTF8.GetBytes(TrainRig.Text)[^375..];
        using var backend = new CpuBackend(1);
        using var model = TinyModels.Random(backend, config.Model);
        using TokenDataset dataset = TrainData.Open(config);
        using var evaluator = new Evaluator(model, new TextTask(dataset.Validation, "text", dataset.Tokenizer.ByteLengths), new BatchShape(2, 8), part: 5);

        // 47 windows: numbers 0, 9, 18, 28 and 37.
        double nats = new[] { 0, 9, 18, 28, 37 }.Sum(window => Nats(model, text[(window * 8)..(window * 8 + 9)]));
        Evaluation evaluation = evaluator.Run(part: true);
        Assert.That((evaluation.Tokens, evaluator.HasPart), Is.EqualTo((40L, true)));
        Assert.That(evaluation.Loss, Is.EqualTo(nats / 40).Within(1e-5));
    }

    // −Σ log p(byte i + 1 | bytes 0 … i) of one window.
    private static double Nats(Transformer model, byte[] window)
    {
        Backend backend = model.Backend;
        int time = window.Length - 1, vocab = model.Config.Vocab;
        using DeviceBuffer ids = backend.Allocate(time * sizeof(int));
        var view = new View(ids, 0, Layout.Of(1, time), DType.Int32);
        backend.Upload<int>([.. window[..time].Select(b => (int)b)], view);
        var tape = new Tape(backend);
        Tensor logits = model.RecordLogits(tape, tape.External("tokens", view));
        tape.Keep(logits);
        var plan = new Plan(tape);
        using DeviceBuffer arena = backend.Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        plan.Run();
        var values = new float[time * vocab];
        backend.Download(plan[logits], values.AsSpan());

        double nats = 0;
        for (int t = 0; t < time; t++)
        {
            double[] row = [.. values[(t * vocab)..((t + 1) * vocab)].Select(v => (double)v)];
            nats += Math.Log(row.Sum(Math.Exp)) - row[window[t + 1]];
        }

        return nats;
    }
}
