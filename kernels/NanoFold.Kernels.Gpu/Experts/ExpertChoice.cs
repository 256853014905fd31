using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Experts;

/// <summary>
/// The k largest of score + bias of each token, of all experts or of those in its worthiest groups; a token a thread. Nothing is marked as taken: what comes next is the largest of
/// what comes after the last one by value, then index. Of what is no number nothing comes next: then an expert of the slot's own number is taken.
/// </summary>
internal struct ExpertChoiceWork<T> : IGpuWork<ExpertChoiceWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Scores;
    public ArrayView<float> Bias;
    public ArrayView<int> Indices;
    public long ScoreRow;
    public int Tokens, Slots, Experts, Groups, ActiveGroups, HasBias;

    public static void Run(ExpertChoiceWork<T> w)
    {
        int token = Grid.IdxX * Group.DimX + Group.IdxX;
        if (token >= w.Tokens)
        {
            return;
        }

        float leastWorth = 0, last = 0;
        int lastGroup = w.Groups, lastExpert = -1;
        if (w.Groups > 1)
        {
            lastGroup = -1;
            for (int i = 0; i < w.ActiveGroups; i++)
            {
                lastGroup = NextGroup(w, token, ref leastWorth, lastGroup);
            }
        }

        for (int slot = 0; slot < w.Slots; slot++)
        {
            int next = NextExpert(w, token, ref last, lastExpert, leastWorth, lastGroup);
            lastExpert = next;
            w.Indices[token * w.Slots + slot] = next < 0 ? slot : next;
        }
    }

    private static int NextGroup(in ExpertChoiceWork<T> w, int token, ref float last, int lastGroup)
    {
        int next = -1;
        float largest = 0;
        for (int group = 0; group < w.Groups; group++)
        {
            float worth = Worth(w, token, group);
            if (IsAfter(worth, group, last, lastGroup) && (next < 0 || worth > largest))
            {
                next = group;
                largest = worth;
            }
        }

        last = largest;
        return next;
    }

    private static int NextExpert(in ExpertChoiceWork<T> w, int token, ref float last, int lastExpert, float leastWorth, int lastGroup)
    {
        int next = -1, size = w.Experts / w.Groups;
        float largest = 0;
        for (int group = 0; group < w.Groups; group++)
        {
            bool isLeftOut = w.Groups > 1 && IsAfter(Worth(w, token, group), group, leastWorth, lastGroup);
            for (int e = group * size; e < (group + 1) * size; e++)
            {
                float value = isLeftOut ? 0 : Value(w, token, e);
                if (IsAfter(value, e, last, lastExpert) && (next < 0 || value > largest))
                {
                    next = e;
                    largest = value;
                }
            }
        }

        last = largest;
        return next;
    }

    /// <summary>Whether a value comes after the last one taken; without a last one, all do.</summary>
    private static bool IsAfter(float value, int index, float last, int lastIndex) => lastIndex < 0 || value < last || (value == last && index > lastIndex);

    private static float Worth(in ExpertChoiceWork<T> w, int token, int group)
    {
        int size = w.Experts / w.Groups;
        float first = float.NegativeInfinity, second = first;
        for (int e = group * size; e < (group + 1) * size; e++)
        {
            float value = Value(w, token, e);
            second = value > first ? first : value > second ? value : second;
            first = value > first ? value : first;
        }

        return first + second;
    }

    private static float Value(in ExpertChoiceWork<T> w, int token, int expert)
    {
        float score = T.Read(w.Scores[token * w.ScoreRow + expert]);
        return w.HasBias != 0 ? score + w.Bias[expert] : score;
    }
}
