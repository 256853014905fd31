namespace NanoFold.Kernels.Fused;

/// <summary>What cross-entropy asks of its operands on every backend, but for the targets themselves.</summary>
internal static class CrossEntropyChecks
{
    public static void Forward(string op, in View logits, in View targets, in View losses, in View logSumExp, in View loss)
    {
        Rows(op, logits, targets, logSumExp);
        Losses(op, logits, losses, loss);
    }

    public static void Backward(string op, in View logits, in View targets, in View logSumExp, in View dLoss, in View dLogits, bool accumulate)
    {
        Rows(op, logits, targets, logSumExp);
        RowCheck.Vector(op, "dLoss", dLoss, logits.Type.Sum(), 1);
        RowCheck.Output(op, "dLogits", dLogits, logits);
        if (accumulate && dLogits.Buffer == logits.Buffer && dLogits.Offset == logits.Offset)
        {
            RowCheck.Fail(op, "dLogits", dLogits, "memory other than that of the logits, since it is added to");
        }
    }

    public static void LinearForward(
        string op, in View x, in View weight, in View targets, in View losses, in View logSumExp, in View loss, in View scratch, long scratchBytes, in View logits)
    {
        Linear(op, x, weight, targets, logSumExp, scratch, scratchBytes, logits);
        Losses(op, x, losses, loss);
    }

    public static void LinearBackward(
        string op, in View x, in View weight, in View targets, in View logSumExp, in View dLoss, in View dX, in View dWeight, in View scratch, long scratchBytes, in View logits)
    {
        Linear(op, x, weight, targets, logSumExp, scratch, scratchBytes, logits);
        RowCheck.Vector(op, "dLoss", dLoss, x.Type.Sum(), 1);
        if (!dX.IsNone)
        {
            RowCheck.Output(op, "dX", dX, x);
        }

        if (!dWeight.IsNone)
        {
            RowCheck.Matrix(op, "dWeight", dWeight, x.Type.Sum(), weight.Layout[0], weight.Layout[1]);
            Checks.Writable(op, "dWeight", dWeight);
        }
    }

    private static void Rows(string op, in View logits, in View targets, in View logSumExp)
    {
        RowCheck.Matrix(op, "logits", logits);
        Checks.Integers(op, "targets", targets, logits.Layout[0]);
        RowCheck.Vector(op, "logSumExp", logSumExp, logits.Type.Sum(), logits.Layout[0]);
    }

    private static void Losses(string op, in View x, in View losses, in View loss)
    {
        RowCheck.Vector(op, "losses", losses, x.Type.Sum(), x.Layout[0]);
        RowCheck.Vector(op, "loss", loss, x.Type.Sum(), 1);
    }

    private static void Linear(
        string op, in View x, in View weight, in View targets, in View logSumExp, in View scratch, long scratchBytes, in View logits)
    {
        RowCheck.Matrix(op, "x", x);
        RowCheck.Matrix(op, "weight", weight);
        int rows = x.Layout[0], vocab = weight.Layout[0];
        RowCheck.Matrix(op, "weight", weight, x.Type, vocab, x.Layout[1]);
        Checks.Integers(op, "targets", targets, rows);
        RowCheck.Vector(op, "logSumExp", logSumExp, x.Type.Sum(), rows);
        if (scratchBytes > 0)
        {
            RowCheck.Scratch(op, scratch, scratchBytes);
        }

        if (!logits.IsNone)
        {
            RowCheck.Matrix(op, "logits", logits, x.Type, rows, vocab);
        }
    }
}
