namespace NanoFold.Tests.Cpu.Loss;

/// <summary>Cross-entropy from softmax probabilities, in double precision.</summary>
internal sealed class CrossEntropyReference
{
    public CrossEntropyReference(double[] logits, double[] targets, int vocab, int targetCount, double dLoss)
    {
        Losses = new double[targets.Length];
        LogSumExp = new double[targets.Length];
        DLogits = new double[logits.Length];
        for (int row = 0; row < targets.Length; row++)
        {
            if (targets[row] < 0)
            {
                continue;
            }

            double[] x = logits[(row * vocab)..((row + 1) * vocab)];
            double shift = x.Max();
            double sum = x.Sum(value => Math.Exp(value - shift));
            LogSumExp[row] = Math.Log(sum) + shift;
            for (int i = 0; i < vocab; i++)
            {
                double probability = Math.Exp(x[i] - shift) / sum;
                DLogits[row * vocab + i] = dLoss * (probability - (i == (int)targets[row] ? 1 : 0)) / targetCount;
                if (i == (int)targets[row])
                {
                    Losses[row] = -Math.Log(probability);
                }
            }
        }

        Loss = Losses.Sum() / targetCount;
    }

    public double[] Losses { get; }

    public double[] LogSumExp { get; }

    public double[] DLogits { get; }

    public double Loss { get; }
}
