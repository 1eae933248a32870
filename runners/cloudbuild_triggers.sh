#!/usr/bin/env bash
# Creates the triggers of cloudbuild.yaml, one for each environment:
#
#   runners/cloudbuild_triggers.sh PROJECT REGION REPOSITORY ACCOUNT
#
# PROJECT     the project that Cloud Build runs in
# REGION      the region of Cloud Build, such as us-central1
# REPOSITORY  projects/PROJECT/locations/REGION/connections/CONNECTION/repositories/NAME: the connected repository
# ACCOUNT     the service account of the builds, with the roles of `CI` and `deployer` in docs/vertex.md
#
# A person with the role Cloud Build Approver approves builds for production.
set -euo pipefail
project=${1:?usage: runners/cloudbuild_triggers.sh PROJECT REGION REPOSITORY ACCOUNT}
region=${2:?a region}
repository=${3:?a repository}
account=${4:?a service account}

trigger() { # environment, branch, percentage of the users of a trial run (empty: no trial), further options
    gcloud builds triggers create github \
        --project="$project" --region="$region" --repository="$repository" \
        --name="propensity-$1" --description="The propensity pipeline to $1" \
        --branch-pattern="^$2\$" --build-config=cloudbuild.yaml \
        --ignored-files='docs/**,*.md,**/*.md' \
        --service-account="projects/$project/serviceAccounts/$account" \
        --substitutions="_SETTINGS=runners/vertex.$1.yaml,_TRIAL_PERCENT=$3" "${@:4}"
}

trigger development develop 10
trigger staging staging 10
trigger production main '' --require-approval
