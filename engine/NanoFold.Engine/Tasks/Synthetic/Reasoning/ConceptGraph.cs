using System.Numerics;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// A random graph without circles: concepts 0 and 1 are two beginnings, the others hang by turns on a concept of the first one's side or of the second one's; further
/// statements join any two. A question asks which of two concepts one of the beginnings leads to: only 0 leads to the one and only 1 to the other, each in as many steps and
/// on one shortest way, and a coin decides from which of them is asked; so nothing but the way tells the two apart. Statements go from a lower number to a higher one.
/// </summary>
/// <param name="concepts">How many, up to 64.</param>
/// <param name="parents">For each concept those of which it is said that they are it, as bits; memory for all.</param>
internal ref struct ConceptGraph(int concepts, Span<ulong> parents)
{
    /// <summary>The most concepts.</summary>
    public const int MostConcepts = 64;

    // Graphs that are tried before one is begun with two ways of the wanted length, which then has a question.
    private const int Tries = 32;

    private readonly Span<ulong> _parents = parents;

    /// <summary>The most statements for which there is always a question of so many steps: two ways, to which nothing is added, and any statements about the other concepts.</summary>
    public static int MostStatements(int concepts, int steps) => (2 * steps) + Pairs(concepts) - Pairs(FirstFree(steps));

    /// <summary>The concepts of which it is said that they are this one, as bits.</summary>
    public readonly ulong ParentsOf(int concept) => _parents[concept];

    /// <summary>Draws a graph and a question of so many steps: <paramref name="path"/> gets the shortest way without its beginning, the only one of its length.</summary>
    /// <returns>The beginning, 0 or 1, that is asked about, and the concept that is not reached from it.</returns>
    public readonly (int From, int Other) Draw(ref RowDraws draws, int statements, int steps, Span<int> path)
    {
        Span<int> own = stackalloc int[concepts], others = stackalloc int[concepts];
        int target, other;
        for (int round = 0; ; round++)
        {
            Build(ref draws, statements, round < Tries ? FirstFree(0) : FirstFree(steps));
            Measure(0, own);
            Measure(1, others);
            target = Pick(ref draws, own, others, steps);
            other = target < 0 ? -1 : Pick(ref draws, others, own, steps);
            if (other >= 0)
            {
                break;
            }
        }

        int from = draws.Below(2);
        if (from == 1)
        {
            (target, other) = (other, target);
            others.CopyTo(own);
        }

        for (int step = steps, at = target; step > 0; step--)
        {
            path[step - 1] = at;
            at = NearestParent(at, own);
        }

        return (from, other);
    }

    private static int Pairs(int concepts) => concepts * (concepts - 1) / 2;

    // The first concept after two ways of so many steps.
    private static int FirstFree(int steps) => 2 * (steps + 1);

    // Those below free are of two ways and have no further statements about them.
    private readonly void Build(ref RowDraws draws, int statements, int free)
    {
        _parents.Clear();
        Span<int> depth = stackalloc int[concepts];
        depth.Clear();
        for (int concept = 2; concept < concepts; concept++)
        {
            int parent = concept - 2;
            if (concept >= free)
            {
                // The deeper of two on its side, for long ways; the lower numbers of a side are those of its parity.
                int side = concept % 2, a = side + (2 * draws.Below(concept / 2)), b = side + (2 * draws.Below(concept / 2));
                parent = depth[a] >= depth[b] ? a : b;
            }

            depth[concept] = depth[parent] + 1;
            _parents[concept] = 1UL << parent;
        }

        for (int made = concepts - 2; made < statements;)
        {
            int child = free + draws.Below(concepts - free), parent = draws.Below(child);
            if ((_parents[child] >> parent & 1) == 0)
            {
                _parents[child] |= 1UL << parent;
                made++;
            }
        }
    }

    // Steps from a beginning; −1 where it does not lead.
    private readonly void Measure(int from, Span<int> steps)
    {
        for (int concept = 0; concept < concepts; concept++)
        {
            int nearest = concept == from ? -1 : NearestParent(concept, steps);
            steps[concept] = concept == from ? 0 : nearest < 0 ? -1 : steps[nearest] + 1;
        }
    }

    private readonly int NearestParent(int concept, ReadOnlySpan<int> steps)
    {
        int nearest = -1;
        for (ulong left = _parents[concept]; left != 0; left &= left - 1)
        {
            int parent = BitOperations.TrailingZeroCount(left);
            nearest = steps[parent] >= 0 && (nearest < 0 || steps[parent] < steps[nearest]) ? parent : nearest;
        }

        return nearest;
    }

    // One that is so many steps from its beginning on one way only, and not reached from the other; −1 where there is none.
    private readonly int Pick(ref RowDraws draws, ReadOnlySpan<int> own, ReadOnlySpan<int> others, int steps)
    {
        int found = -1, count = 0;
        for (int concept = 2; concept < concepts; concept++)
        {
            if (own[concept] == steps && others[concept] < 0 && IsOnlyWay(concept, own) && draws.Below(++count) == 0)
            {
                found = concept;
            }
        }

        return found;
    }

    private readonly bool IsOnlyWay(int concept, ReadOnlySpan<int> steps)
    {
        while (steps[concept] > 0)
        {
            int ways = 0;
            int nearest = NearestParent(concept, steps);
            for (ulong left = _parents[concept]; left != 0; left &= left - 1)
            {
                ways += steps[BitOperations.TrailingZeroCount(left)] == steps[nearest] ? 1 : 0;
            }

            if (ways > 1)
            {
                return false;
            }

            concept = nearest;
        }

        return true;
    }
}
