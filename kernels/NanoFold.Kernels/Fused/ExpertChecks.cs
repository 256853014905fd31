namespace NanoFold.Kernels.Fused;

/// <summary>What expert routing of every backend asks of its operands; the values of indices are looked at where the host can.</summary>
internal static class ExpertChecks
{
    public static void Sort(string op, in View indices, in View offsets, in View rowOfSlot, in View tokenOfRow)
    {
        Slots(op, "indices", indices);
        Checks.Inside(op, "offsets", offsets);
        Checks.Integers(op, "offsets", offsets, offsets.Count);
        if (offsets.Count < 2)
        {
            RowCheck.Fail(op, "offsets", offsets, "one element more than experts");
        }

        Checks.Integers(op, "rowOfSlot", rowOfSlot, indices.Count);
        Checks.Integers(op, "tokenOfRow", tokenOfRow, indices.Count);
    }

    public static void Combine(string op, in View rows, in View weights, in View rowOfSlot, in View y)
    {
        Rows(op, rows, weights, rowOfSlot, y, "y");
        Checks.Writable(op, "y", y);
    }

    public static void CombineBackward(string op, in View rows, in View weights, in View rowOfSlot, in View dy, in View dRows, in View dWeights)
    {
        Rows(op, rows, weights, rowOfSlot, dy, "dy");
        if (!dRows.IsNone)
        {
            RowCheck.Output(op, "dRows", dRows, rows);
        }

        RowCheck.OptionalVector(op, "dWeights", dWeights, dy.Type, rowOfSlot.Count);
    }

    public static void Weights(string op, in View probabilities, in View indices, in View weights)
    {
        Slots(op, "indices", indices);
        RowCheck.Matrix(op, "probabilities", probabilities);
        RowCheck.Matrix(op, "probabilities", probabilities, probabilities.Type, indices.Layout[0], probabilities.Layout[1]);
        RowCheck.Vector(op, "weights", weights, probabilities.Type, indices.Count);
    }

    public static void WeightsBackward(string op, in View probabilities, in View indices, in View weights, in View dWeights, in View dProbabilities)
    {
        Weights(op, probabilities, indices, weights);
        RowCheck.Vector(op, "dWeights", dWeights, probabilities.Type, indices.Count);
        RowCheck.Output(op, "dProbabilities", dProbabilities, probabilities);
    }

    public static void RouterLoss(string op, in View logits, in View probabilities, in View offsets, in View load, in View loss)
    {
        Logits(op, logits, probabilities, load);
        Checks.Integers(op, "offsets", offsets, logits.Layout[1] + 1L);
        RowCheck.Vector(op, "loss", loss, logits.Type.Sum(), 1);
    }

    public static void RouterLossBackward(string op, in View logits, in View probabilities, in View load, in View dLoss, in View dLogits)
    {
        Logits(op, logits, probabilities, load);
        RowCheck.Vector(op, "dLoss", dLoss, logits.Type.Sum(), 1);
        RowCheck.Output(op, "dLogits", dLogits, logits);
    }

    private static void Logits(string op, in View logits, in View probabilities, in View load)
    {
        RowCheck.Matrix(op, "logits", logits);
        RowCheck.Like(op, "probabilities", probabilities, logits);
        RowCheck.Vector(op, "load", load, logits.Type.Sum(), logits.Layout[1]);
    }

    private static void Rows(string op, in View rows, in View weights, in View rowOfSlot, in View tokens, string name)
    {
        Slots(op, "rowOfSlot", rowOfSlot);
        RowCheck.Matrix(op, name, tokens);
        int width = tokens.Layout[1];
        RowCheck.Matrix(op, name, tokens, tokens.Type, rowOfSlot.Layout[0], width);
        RowCheck.Matrix(op, "rows", rows, tokens.Type, rowOfSlot.Count, width);
        RowCheck.OptionalVector(op, "weights", weights, tokens.Type, rowOfSlot.Count);
    }

    private static void Slots(string op, string name, in View slots)
    {
        Checks.Inside(op, name, slots);
        Checks.Rank(op, name, slots, 2);
        Checks.Integers(op, name, slots, slots.Count);
    }
}
