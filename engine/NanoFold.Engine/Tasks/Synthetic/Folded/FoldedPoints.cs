namespace NanoFold.Engine.Tasks;

/// <summary>Random points of a folded surface, turned into a space of more dimensions.</summary>
internal sealed class FoldedPoints
{
    // The roll is this high for a radius of 1 at its outer end; the holes of the tori leave room for each other.
    private const double Height = 1.5, InnerRadius = 0.35;

    // Arms begin at this share of their radius, for they meet at 0.
    private const double ArmBegins = 0.15;

    // Of the roll, which begins half a turn from the middle.
    private const double RollBegins = Math.PI;

    private readonly FoldedConfig _config;

    // Directions of the space [SpaceOf, Ambient], of length 1 and at right angles.
    private readonly double[] _directions;
    private readonly double _scale;

    public FoldedPoints(FoldedConfig config)
    {
        _config = config;
        int space = SpaceOf(config.Shape);
        var draws = RowDraws.OfTables(config.SplitSeed);
        _directions = new double[space * config.Ambient];
        foreach (ref double number in _directions.AsSpan())
        {
            number = draws.Normal();
        }

        Orthogonalize(_directions, config.Ambient);

        // So that the mean square of a coordinate is 1.
        const int Sampled = 4096;
        Span<double> point = stackalloc double[3], where = stackalloc double[2];
        double squares = 0;
        for (int i = 0; i < Sampled; i++)
        {
            Draw(ref draws, point, where);
            squares += (point[0] * point[0]) + (point[1] * point[1]) + (point[2] * point[2]);
        }

        _scale = Math.Sqrt(Sampled * space / squares);
    }

    /// <summary>Dimensions that a shape is folded up in.</summary>
    public static int SpaceOf(FoldedShape shape) => shape == FoldedShape.Spirals ? 2 : 3;

    /// <summary>Draws a point as features, and what is asked of it.</summary>
    public void Draw(ref RowDraws draws, Span<float> features, Span<float> values)
    {
        Span<double> point = stackalloc double[3], where = stackalloc double[2];
        Draw(ref draws, point, where);
        for (int i = 0; i < features.Length; i++)
        {
            double sum = 0;
            for (int direction = 0; direction < _directions.Length / features.Length; direction++)
            {
                sum += point[direction] * _directions[(direction * features.Length) + i];
            }

            features[i] = (float)((_scale * sum) + (_config.Noise > 0 ? _config.Noise * draws.Normal() : 0));
        }

        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)where[i];
        }
    }

    // A point in 3 dimensions (the third is 0 of spirals), and where it is on the surface.
    private void Draw(ref RowDraws draws, Span<double> point, Span<double> where)
    {
        switch (_config.Shape)
        {
            case FoldedShape.SwissRoll:
                double along = draws.Uniform(), up = draws.Uniform();
                DrawSpiral(along, RollBegins, point);
                point[2] = Height * (up - 0.5);
                (where[0], where[1]) = (Uniform(along), Uniform(up));
                break;
            case FoldedShape.Spirals:
                int arm = draws.Below(2);
                DrawSpiral(draws.Uniform(), ArmBegins * 2 * Math.PI * _config.Turns, point);
                double side = (2 * arm) - 1;
                (point[0], point[1], point[2]) = (side * point[0], side * point[1], 0);
                (where[0], where[1]) = (side, 0);
                break;
            default:
                int which = draws.Below(2);
                DrawTorus(ref draws, point);
                if (which == 1)
                {
                    // Turned up and moved into the other's hole.
                    (point[0], point[1], point[2]) = (point[0] + 1, point[2], point[1]);
                }

                point[0] -= 0.5;
                (where[0], where[1]) = ((2 * which) - 1, 0);
                break;
        }
    }

    // A number from 0 to 1 as one of mean 0 and variance 1.
    private static double Uniform(double number) => Math.Sqrt(12) * (number - 0.5);

    // r = φ / last, and φ² even between the ends: so are points along the arm, nearly (its length grows like φ²).
    private void DrawSpiral(double share, double first, Span<double> point)
    {
        double last = first + (2 * Math.PI * _config.Turns);
        double angle = Math.Sqrt((first * first) + (share * ((last * last) - (first * first))));
        (point[0], point[1]) = (angle / last * Math.Cos(angle), angle / last * Math.Sin(angle));
    }

    // Even on the surface: an angle is kept as often as its circle is long.
    private static void DrawTorus(ref RowDraws draws, Span<double> point)
    {
        double around = 2 * Math.PI * draws.Uniform(), tube, radius;
        do
        {
            tube = 2 * Math.PI * draws.Uniform();
            radius = 1 + (InnerRadius * Math.Cos(tube));
        }
        while (draws.Uniform() * (1 + InnerRadius) > radius);
        (point[0], point[1], point[2]) = (radius * Math.Cos(around), radius * Math.Sin(around), InnerRadius * Math.Sin(tube));
    }

    // Gram and Schmidt, twice.
    private static void Orthogonalize(double[] rows, int length)
    {
        for (int row = 0; row < rows.Length / length; row++)
        {
            Span<double> own = rows.AsSpan(row * length, length);
            for (int other = 0; other < 2 * row; other++)
            {
                ReadOnlySpan<double> unit = rows.AsSpan(other % row * length, length);
                double share = System.Numerics.Tensors.TensorPrimitives.Dot(own, unit);
                for (int i = 0; i < length; i++)
                {
                    own[i] -= share * unit[i];
                }
            }

            double norm = Math.Sqrt(System.Numerics.Tensors.TensorPrimitives.SumOfSquares<double>(own));
            for (int i = 0; i < length; i++)
            {
                own[i] /= norm;
            }
        }
    }
}
