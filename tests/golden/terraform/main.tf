# What show.json and show-errored.json are made of, by Terraform 1.11.4:
#   terraform apply -auto-approve -var night=1 -target terraform_data.same -target terraform_data.changed
#   terraform plan -var night=2 -out p && terraform show -json p > show.json
#   terraform plan -var night=3 -out p; terraform show -json p > show-errored.json
variable "night" {
  type = number
}

resource "terraform_data" "same" {
  input = { quantity = 12, infima_clients = [{ id = 101, name = "Acme Dental" }] }
}

resource "terraform_data" "changed" {
  input = { quantity = var.night, infima_clients = [{ id = 102, name = "Borealis" }] }
}

resource "terraform_data" "new" {
  input = { quantity = 7, infima_clients = [{ id = 103, name = "Corvid HQ" }] }

  lifecycle {
    precondition {
      condition     = var.night < 3
      error_message = "zero: INFIMA counts nobody"
    }
  }
}

check "many" {
  assert {
    condition     = var.night < 2
    error_message = "many-creates: this would create 1 Subscription"
  }
}
